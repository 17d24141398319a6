"""An earlier run to start from: how it saw its data, and what it learned."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from treadle.contracts import Json
from treadle.errors import RunError
from treadle.folder import RunFolder
from treadle.tensors import read_tensors

if TYPE_CHECKING:
    from torch import Tensor


class Earlier:
    """The model folder of a finished run of the same kind.

    Nothing of it is executed: what it learned are tensors and JSON, each looked at before use.

    Raises: RunError when there is no such run, it was not finished, or it is of another kind.
    """

    def __init__(self, path: Path | str, kind: str) -> None:
        self.path = Path(path)
        self.model = RunFolder.open(path).path / "model"
        facts = RunFolder(self.model).read_json("model.json")
        if facts is None:
            raise RunError(
                f"the run at {path} keeps no model to start from.", "Finish it: treadle resume it."
            )
        self.facts: Json = facts
        if self.facts.get("kind") != kind:
            raise RunError(
                f"the run at {path} learned from {self.facts.get('kind')}, and this is {kind}.",
                "Start from a run of the same kind of data.",
            )

    def tensors(self, name: str) -> dict[str, Tensor] | None:
        """Return one file's tensors, or None when the run trained no such model."""
        file = self.model / f"{name}.safetensors"
        if not file.is_file():
            return None
        # trees check their own: infinity is right where they split by what is missing
        return read_tensors(file, finite=name != "trees")

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
