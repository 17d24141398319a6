"""Worker processes of a DataLoader that hang or die: an error that names what they were at."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch

from treadle.data.sampling import IDLE
from treadle.errors import DataError

PATIENCE_SECONDS = 300.0
"""How long a worker may take over one batch: long enough for any sample that will ever come."""

HUNG = "DataLoader timed out"
DIED = "DataLoader worker (pid"
SHOWN_ROWS = 8


class Workers:
    """Knows which batch is waited for, and which row each worker process is at.

    at: int64 [workers] in shared memory, which the workers write to; None where there are none
    """

    def __init__(self, num_workers: int) -> None:
        self.at = None
        if num_workers:
            self.at = torch.full((num_workers,), IDLE, dtype=torch.int64).share_memory_()
        self._waiting_for = ""
        self._rows: Sequence[int] = ()

    def watched(
        self,
        batches: Iterable[Any],
        epoch: int = 0,
        chunks: Sequence[Sequence[int]] = (),
        *,
        taken: int = 0,
    ) -> Iterator[Any]:
        """Yield the batches; where their workers fail, say so in words.

        chunks: the rows of each batch, where they are known
        taken:  how many batches of this epoch came before

        Raises: DataError.
        """
        number, items = taken, iter(batches)
        while True:
            number += 1
            self._waiting_for = f"batch {number:,} of epoch {epoch + 1:,}"
            here = number - taken - 1
            self._rows = chunks[here] if here < len(chunks) else ()
            try:
                batch = next(items)
            except StopIteration:
                return
            except (RuntimeError, OSError, EOFError) as error:
                problem = self.problem(error)
                if problem is None:
                    raise
                _let_go(items)
                raise problem from error
            yield batch

    def problem(self, error: BaseException) -> DataError | None:
        """Return what an error of torch says of a worker, in words; None if of none.

        That a worker has died may be raised anywhere in the program, not only where it is waited
        for: torch does so from a signal handler.
        """
        text = str(error)
        if HUNG in text:
            seconds = "".join(letter for letter in text if letter.isdigit() or letter == ".")
            return DataError(
                f"{self._waiting_for} did not come within {float(seconds.strip('.')):g} seconds: "
                f"a worker process of the DataLoader hangs{self._place()}.",
                "Look at what the Dataset does there. worker_timeout_seconds=… waits longer.",
            )
        # one that dies while it hands a batch over leaves a broken connection behind
        if DIED in text or isinstance(error, (ConnectionError, EOFError)):
            return DataError(
                f"a worker process of the DataLoader died while {self._waiting_for} was waited "
                f"for{self._place()}: {_first_line(error)}",
                "Look at what the Dataset does there; a process that takes too much memory is "
                "ended by the system.",
            )
        return None

    def _place(self) -> str:
        """Return at which rows the workers are, or the rows of the batch, as far as is known."""
        at = [] if self.at is None else sorted(set(self.at.tolist()) - {IDLE})
        here = [row for row in at if row in set(self._rows)] or at
        if here:
            return f", at row {' or '.join(map(str, here))} of the Dataset"
        if not self._rows:
            return ""
        rows = ", ".join(map(str, self._rows[:SHOWN_ROWS]))
        return f" (rows {rows}{', …' if len(self._rows) > SHOWN_ROWS else ''} of the Dataset)"


def _let_go(items: Any) -> None:
    """End the workers now: until then torch may raise what befell them at any place once more."""
    with contextlib.suppress(RuntimeError):
        if hasattr(items, "_shutdown_workers"):
            items._shutdown_workers()


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
