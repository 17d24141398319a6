"""How many threads LightGBM uses in this process, changed between two rounds."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

NO_LIMIT = -1


@contextlib.contextmanager
def at_most(threads: int) -> Iterator[None]:
    """Let LightGBM use at most so many threads meanwhile.

    A parameter of the Booster cannot say it: to change one there draws new random numbers.
    Source: LGBM_SetMaxThreads of LightGBM's C API.
    """
    from lightgbm import basic

    library = basic._LIB  # type: ignore[attr-defined]
    library.LGBM_SetMaxThreads(threads)
    try:
        yield
    finally:
        library.LGBM_SetMaxThreads(NO_LIMIT)
