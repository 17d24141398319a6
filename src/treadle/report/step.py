"""One thing to do next, in words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing to do.

    expected: what it should bring, in words; how: the command, or nothing
    first:    whether figures cannot be trusted before it is done
    gain:     the share of what is wrong that it is expected to mend; None where not known
    at_most:  whether that is no more than a bound
    """

    sentence: str
    title: str = ""
    expected: str = ""
    how: str = ""
    first: bool = False
    gain: float | None = None
    at_most: bool = False

    @property
    def words(self) -> str:
        """All of it as one text, for a terminal."""
        titled = f"{self.title}: {self.sentence}" if self.title else self.sentence
        return " ".join(filter(None, (titled, self.expected, self.how and f"({self.how})")))
