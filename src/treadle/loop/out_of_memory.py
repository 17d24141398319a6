"""What running out of memory looks like, and the words for it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from treadle.errors import MemoryFullError

SIGNS = ("allocate memory", "not enough memory", "out of memory", "bad_alloc")


class TooLarge(MemoryError):
    """A step found no memory for its forward or backward pass; it has changed nothing."""


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error says that memory ran out, on whatever device."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in SIGNS)


def free_what_failed(device: torch.device) -> None:
    """Give back what a failed attempt took and the allocator keeps for later."""
    if device.type == "cuda":
        torch.cuda.empty_cache()


@contextlib.contextmanager
def memory_errors_in_words() -> Iterator[None]:
    """Turn running out of memory, wherever that happens, into an error that says what to do.

    Raises: MemoryFullError.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise MemoryFullError(
            f"there was not enough memory to go on ({str(error).splitlines()[0][:200]}).",
            "What was saved before is whole. Free memory, or take smaller batches in a new run.",
        ) from error
