"""What an item brings when it is taken: a number, or what a column of the log says of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from treadle.costs import OF_SUGGESTIONS, Amount, Costs
from treadle.data.amounts import read_amounts
from treadle.data.events import identifiers
from treadle.errors import OptionError, did_you_mean

_EXAMPLE = (
    'Write for example --cost "gain=2", --cost "gain=price" for a column of the log, and '
    "shown=0.01 for what showing one suggestion costs."
)


@dataclass(frozen=True, kw_only=True)
class ItemWorth:
    """What items bring, and what showing one suggestion costs.

    by_item: what a column says of each item, as the log spells items; nothing where one number
             holds for all
    usual:   what any other item brings
    """

    usual: float
    shown: float
    unit: str
    by_item: dict[str, float]

    def of(self, items: Sequence[str]) -> NDArray[Any]:
        """Return what each item brings, float64 [I]."""
        return np.array([self.by_item.get(item, self.usual) for item in items], np.float64)


def item_worth(costs: Costs, log: pl.DataFrame, item: str) -> ItemWorth:
    """Return what `--cost` says of suggestions.

    log: as it was read; item: its column of items. An item brings the median of what its rows say.

    Raises: OptionError with all that does not fit.
    """
    words = [entry.word for entry in costs.entries]
    gain, shown = costs.of("gain"), costs.of("shown")
    if not set(words) <= set(OF_SUGGESTIONS) or "gain" not in words:
        raise OptionError("--cost does not say what a suggestion brings that is taken.", _EXAMPLE)
    problems = _unfit(gain, shown, log)
    if problems:
        raise OptionError.of(problems)
    if gain.column is None:
        return ItemWorth(usual=gain.factor, shown=shown.factor, unit=costs.unit, by_item={})
    amounts, unread = read_amounts(log, [gain.column])
    known = (
        pl.DataFrame({"item": identifiers(log[item]), "worth": gain.factor * amounts[gain.column]})
        .filter(unread.is_null() & pl.col("item").is_not_null())
        .group_by("item")
        .agg(pl.col("worth").median())
    )
    if not known.height:
        raise OptionError(f"--cost '{gain.column}' holds no amount in any row.", _EXAMPLE)
    return ItemWorth(
        usual=float(known["worth"].median()),  # type: ignore[arg-type]
        shown=shown.factor,
        unit=costs.unit,
        by_item=dict(known.iter_rows()),
    )


def _unfit(gain: Amount, shown: Amount, log: pl.DataFrame) -> list[tuple[str, str]]:
    problems = []
    if gain.factor <= 0:
        problems.append((f"--cost: gain is {gain.factor:g}.", "A gain is above zero here."))
    if shown.column is not None or shown.factor < 0:
        problems.append(
            ("--cost: what showing a suggestion costs is no number of 0 or more.", _EXAMPLE)
        )
    if gain.column is not None and gain.column not in log.columns:
        listed = ", ".join(f"'{name}'" for name in log.columns[:30])
        hint = did_you_mean(gain.column, log.columns)
        problems.append(
            (f"--cost '{gain.column}': there is no such column.", f"{hint}There are {listed}.")
        )
    return problems
