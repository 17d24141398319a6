"""Where to cut rows, groups and moments that are already in order, so that the shares come out."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from treadle.data.dates import find_date_spelling, parse_dates
from treadle.errors import DataError

Codes: TypeAlias = NDArray[np.int64]
Fractions: TypeAlias = tuple[float, float, float]


def cut_by_rank(hashes: NDArray[np.uint64], fractions: Fractions) -> Codes:
    """Return the part 0, 1, 2 of each of n rows: exact shares, equal hashes together."""
    counts = _exact_counts(len(hashes), fractions)
    ordered = np.sort(hashes)
    ranks = np.searchsorted(ordered, hashes, side="left")
    return np.searchsorted(np.cumsum(counts[:2]), ranks, side="right").astype(np.int64)


def _exact_counts(total: int, fractions: Fractions) -> list[int]:
    """Return whole counts that sum to `total`, at least 1 for each wanted part where it can be."""
    exact = np.array(fractions) * total
    counts = np.floor(exact + 1e-9).astype(np.int64)
    for part in np.argsort(counts - exact, kind="stable")[: total - int(counts.sum())]:
        counts[part] += 1
    for part in range(3):
        if fractions[part] > 0 and counts[part] == 0 and counts.max() > 1:
            counts[np.argmax(counts)] -= 1
            counts[part] = 1
    return [int(count) for count in counts]


def cut_groups(sizes: NDArray[np.int64], fractions: Fractions) -> Codes:
    """Return the part of each of the ordered groups, none of the wanted parts without a group."""
    middles = (np.cumsum(sizes) - sizes / 2) / sizes.sum()
    first = int(np.searchsorted(middles, fractions[0]))
    second = int(np.searchsorted(middles, fractions[0] + fractions[1]))
    has_validation, has_test = int(fractions[1] > 0), int(fractions[2] > 0)
    first = min(max(first, 1), len(sizes) - has_validation - has_test)
    second = min(max(second, first + has_validation), len(sizes) - has_test)
    if not has_test:
        second = len(sizes)
    return np.repeat([0, 1, 2], [first, second - first, len(sizes) - second]).astype(np.int64)


def cut_times(seconds: NDArray[np.float64], fractions: Fractions, name: str) -> tuple[float, float]:
    """Return the moments at which validation and test begin; every wanted part gets a moment.

    Raises: DataError when there are fewer moments than parts.
    """
    ordered = np.sort(seconds)
    moments = np.unique(ordered)
    wanted = sum(share > 0 for share in fractions)
    if len(moments) < wanted:
        raise DataError(
            f"'{name}' has {len(moments)} different time(s); {wanted} parts need one each "
            "at least.",
            "name a finer time column, or leave --time out",
        )
    has_validation, has_test = fractions[1] > 0, fractions[2] > 0
    shares = (fractions[0], fractions[0] + fractions[1])
    places = [min(round(share * len(ordered)), len(ordered) - 1) for share in shares]
    first, second = (int(np.searchsorted(moments, ordered[place])) for place in places)
    first = min(max(first, 1), len(moments) - has_validation - has_test)
    second = min(max(second, first + has_validation), len(moments) - has_test)
    beyond = float(np.nextafter(moments[-1], np.inf))
    second_cut = float(moments[second]) if has_test else beyond
    first_cut = float(moments[first]) if has_validation else second_cut
    return first_cut, second_cut


def time_seconds(values: pl.Series) -> NDArray[np.float64]:
    """Return a time column as seconds float64 [N], NaN where there is none.

    Numbers count as seconds; dates become seconds since 1970. Raises: DataError for other text.
    """
    if values.dtype == pl.String:
        spelling = find_date_spelling(values)
        if spelling is None or spelling.failures:
            example = values.drop_nulls().head(1).to_list()
            raise DataError(
                f"--time '{values.name}' holds text that is no date, such as {example}.",
                "write dates as 2025-12-31 or 2025-12-31 18:30:00",
            )
        values = parse_dates(values, spelling.pattern)
    if values.dtype in (pl.Date, pl.Datetime):
        return (values.cast(pl.Datetime("us")).dt.epoch("us").cast(pl.Float64) / 1e6).to_numpy()
    if values.dtype.is_numeric():
        return values.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    raise DataError(
        f"--time '{values.name}' holds neither dates nor numbers.", "name another column"
    )
