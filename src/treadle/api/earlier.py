"""An earlier run to start from: how it saw its data, and what it learned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from treadle.contracts import Json
from treadle.errors import RunError
from treadle.folder import RunFolder

if TYPE_CHECKING:
    from torch import Tensor


class Earlier:
    """The model folder of a finished run of the same kind.

    Raises: RunError when there is no such run, it was not finished, or it is of another kind.
    """

    def __init__(self, path: Path | str, kind: str) -> None:
        self.path = Path(path)
        self.model = RunFolder.open(path).path / "model"
        try:
            self.facts: Json = json.loads((self.model / "model.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RunError(
                f"the run at {path} keeps no model to start from.", "Finish it: treadle resume it."
            ) from error
        if self.facts.get("kind") != kind:
            raise RunError(
                f"the run at {path} learned from {self.facts.get('kind')}, and this is {kind}.",
                "Start from a run of the same kind of data.",
            )

    def tensors(self, name: str) -> dict[str, Tensor] | None:
        """Return one file's tensors, or None when the run trained no such model."""
        from safetensors.torch import load_file

        file = self.model / f"{name}.safetensors"
        return load_file(file) if file.is_file() else None

    def must_fit(self, what: str, was: Any, now: Any) -> None:
        """Raise RunError unless what the earlier run knew is what this one asks for."""
        if was != now:
            raise RunError(
                f"the run at {self.path} knows other {what}: {was}; here they are {now}.",
                "Start from a run on data of the same columns and classes, or from none.",
            )


def earlier_of(path: str | None, kind: str) -> Earlier | None:
    """Return the run to start from, or None where none was named."""
    return Earlier(path, kind) if path else None
