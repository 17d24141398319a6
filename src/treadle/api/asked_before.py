"""What a run was asked for, to ask it again: from its folder, with the data where it lies now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from treadle.api.machine import files_of
from treadle.api.options import FitOptions
from treadle.contracts import Json
from treadle.errors import RunError
from treadle.folder import RunFolder


def asked_before(folder: RunFolder, data: Sequence[str] = ()) -> Json:
    """Return the options that a run recorded. data: where its data lies now, if it was moved.

    Raises: RunError when the data is not to be found.
    """
    recorded: Json = dict(folder.config["options"])
    if not recorded["data"]:
        raise RunError(
            f"the data of the run at {folder.path} came from Python, so only Python can give it "
            "again.",
            "Call treadle.fit(…, out=…, resume=True) with the same data.",
        )
    asked = recorded | ({"data": list(data)} if data else {})
    gone = [file for file in asked["data"] if not files_of([file])]
    if gone:
        raise RunError(
            f"the data of the run at {folder.path} is not there any more: {', '.join(gone)}.",
            "Go to the folder that the run was started from, or say where the data is: --data FILE",
        )
    return asked


def asked_again(folder: RunFolder, data: Any = None) -> FitOptions:
    """Return a run's options; data: a path, or several, where its data lies now, if it was moved.

    Raises: RunError, OptionError.
    """
    paths = () if data is None else [data] if not isinstance(data, (list, tuple)) else data
    return options_of(folder, asked_before(folder, [str(path) for path in paths]))


def options_of(folder: RunFolder, asked: Json) -> FitOptions:
    """Return recorded options as a fit takes them, for that run folder. Raises: OptionError."""
    return FitOptions.of(asked | {"out": str(folder.path), "kind": folder.config["kind"]})
