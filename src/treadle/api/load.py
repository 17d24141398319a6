"""`treadle.load`: a finished run, to look at and to predict with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from treadle.api.run import Run

if TYPE_CHECKING:
    from torch import nn


def load(path: Path | str, *, module: nn.Module | None = None) -> Run:
    """Return the run at `path`.

    module: for a run of your own module, the module to put the best weights into; nothing that
            was recorded is ever executed to make one.

    Raises: RunError when there is no run, or its weights do not fit the module.
    """
    if module is None:
        return Run(path)
    from treadle.api.transfer import weights_file
    from treadle.errors import RunError
    from treadle.tensors import read_tensors

    try:
        module.load_state_dict(read_tensors(weights_file(path)))
    except RuntimeError as error:
        raise RunError(f"the weights of {path} do not fit this module: {error}") from error
    return Run(path, module=module)
