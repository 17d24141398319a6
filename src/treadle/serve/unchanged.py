"""Files of a model that do not fit together are refused in one sentence, whatever they raise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from treadle.errors import BrokenCheckpointError, RunError

T = TypeVar("T")

NOT_AS_WRITTEN = (
    *(LookupError, TypeError, ValueError, ArithmeticError, AttributeError, RuntimeError, OSError),
    BrokenCheckpointError,
)
"""What building a model can raise where its files do not fit together."""


def as_written(folder: Path, build: Callable[[], T]) -> T:
    """Return what `build` makes of a model folder. Raises: RunError where it was changed."""
    try:
        return build()
    except NOT_AS_WRITTEN as error:
        raise RunError(
            f"the model at {folder} is not as training left it: {_said(error)}.",
            "Take an untouched copy of the run, or train again.",
        ) from error


def _said(error: BaseException) -> str:
    """Return the beginning of what an error says."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    words = f"{type(error).__name__}: " if isinstance(error, LookupError) else ""
    return (words + " ".join(lines))[:300].rstrip(".")
