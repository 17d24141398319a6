"""Every error a user can meet.

TreadleError                 anything below; the command line prints it and exits with `exit_code`
├── UserError                exit 2: what was found, what was expected, what to do
│   ├── DataError            a file, a row, a column, a label
│   ├── OptionError          an option or a combination of options
│   ├── RunError             a run folder: absent, locked, of another kind, not resumable
│   └── MissingExtraError    a package of an extra is not installed
├── BrokenCheckpointError    no whole checkpoint is left in a run
├── SaveError                a checkpoint or a run folder could not be written
├── MemoryFullError          memory ran out, and smaller slices of a batch were no help
└── DivergedError            training left the finite numbers and could not be brought back
Interrupted                  exit 130: Ctrl-C or SIGTERM, with a resumable run left behind
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class TreadleError(Exception):
    """An error with a plain message and, where there is one, a hint of what to do."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\nhint: {self.hint}" if self.hint else self.message


class UserError(TreadleError):
    exit_code = 2

    @classmethod
    def of(cls, problems: list[tuple[str, str]]) -> UserError:
        """Return one error that tells all problems of an input, each with its hint."""
        if len(problems) == 1:
            return cls(*problems[0])
        lines = [f"{len(problems)} problems:"]
        for message, hint in problems:
            lines.append(f"- {message}" + (f"\n  hint: {hint}" if hint else ""))
        return cls("\n".join(lines))


class DataError(UserError):
    pass


class OptionError(UserError):
    pass


class RunError(UserError):
    pass


class MissingExtraError(UserError):
    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package {package}, which is not installed.",
            f'pip install "treadle[{extra}]"',
        )


class BrokenCheckpointError(TreadleError):
    pass


class SaveError(TreadleError):
    pass


class MemoryFullError(TreadleError):
    pass


class DivergedError(TreadleError):
    pass


class Interrupted(TreadleError):
    exit_code = 130


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return "did you mean 'x'? " for the nearest known word, or nothing."""
    words = list(known)
    same = [other for other in words if other.strip().lower() == word.strip().lower()]
    near = same or difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'? " if near else ""
