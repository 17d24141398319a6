"""The only splitter: which rows train, which validate, which test. A rule, never a list of rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from treadle.contracts import Frozen
from treadle.data.columns import text_of
from treadle.data.cuts import Codes, Fractions, cut_by_rank, cut_groups, cut_times, time_seconds
from treadle.data.durations import parse_duration, spell_duration
from treadle.data.hashing import hash_rows, hash_text, hash_values, mixed
from treadle.errors import DataError, OptionError, did_you_mean

__all__ = ["PARTS", "Split", "SplitRule", "parse_duration", "split", "split_given"]

Rows = NDArray[np.int64]

PARTS = ("train", "validation", "test")
_UNKNOWN = 3
_MOST_DUPLICATES = 0.2
_SHOWN = 5


class SplitRule(Frozen):
    """How rows are parted. With `cuts` filled in (see `Split.rule`) it parts later rows alike.

    method:    stratified: by a hash of what a row holds, inside each class, in exact shares
               group: by a hash of the group, so that no group lies in two parts
               time: before, between and after two moments
               given: the user's own files; the rest by stratified
    fractions: shares of train, validation, test; they sum to 1
    column:    the group or time column
    pattern:   for groups: a regular expression; its first group (or whole match) in `column` counts
    content:   stratified: the columns whose cells make the hash; empty: all but the target
    ignored:   stratified: columns that make the hash as well, but not whether rows are equal: so
               that leaving a column out leaves rows in their parts
    label_delay_seconds: time until a row's answer is known: rows younger than that at a cut, or at
               the end of the data, are left out
    cuts:      time: where validation and test begin, in seconds (dates: since 1970)
    """

    method: Literal["stratified", "group", "time", "given"] = "stratified"
    fractions: Fractions = (0.7, 0.15, 0.15)
    seed: int = 0
    column: str | None = None
    pattern: str | None = None
    content: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    label_delay_seconds: float = 0.0
    cuts: tuple[float, float] | None = None


@dataclass(frozen=True, kw_only=True)
class Split:
    """Row numbers int64, ascending, of each part; a row lies in one part at most.

    rule:  the rule with what it found out (time cuts) filled in
    notes: plain sentences
    """

    train: Rows
    validation: Rows
    test: Rows
    rule: SplitRule
    notes: list[str] = field(default_factory=list)

    @property
    def rows(self) -> Rows:
        """The rows of all parts, ascending."""
        return np.sort(np.concatenate([self.train, self.validation, self.test]))

    def part_of(self, num_rows: int) -> Codes:
        """Return the part of each of so many rows, int64 [N]: 0, 1, 2 as in PARTS; 3 for none."""
        part = np.full(num_rows, len(PARTS), np.int64)
        for code, places in enumerate((self.train, self.validation, self.test)):
            part[places] = code
        return part


def split(
    frame: pl.DataFrame,
    rule: SplitRule,
    target: str | None = None,
    *,
    leave_out_unknown: bool = False,
) -> Split:
    """Part the rows of a table by a rule.

    target: a column of classes whose shares each part keeps (None: numbers, or no answers)
    leave_out_unknown: rows whose class training lacks belong to no part, which is said; where
        fewer than two classes would be left they are refused all the same

    Raises: DataError: too few rows, groups, moments or rows of a class. OptionError: no such
    column, fractions that do not sum to 1.
    """
    _check_rule(frame, rule)
    classes = _class_codes(frame, target)
    if rule.method == "group":
        parts, rule, notes = _by_group(frame, rule)
    elif rule.method == "time":
        parts, rule, notes = _by_time(frame, rule)
    else:
        parts, rule, notes = _by_content(frame, rule, target, classes)
    if leave_out_unknown and target is not None:
        classes, note = _without_unknown(parts, classes, frame[target])
        notes = [*notes, *note]
    result = _as_split(parts, rule, notes)
    _check_parts(result, frame, target, classes)
    return result


def _without_unknown(parts: Codes, classes: Codes, answers: pl.Series) -> tuple[Codes, list[str]]:
    """Take rows of classes that training lacks out of the other parts; return the classes left."""
    known = np.unique(classes[parts == 0])
    lost = ~np.isin(classes, known) & (parts != _UNKNOWN)
    if len(known) < 2 or not lost.any():
        return classes, []
    names = answers.filter(pl.Series(lost)).cast(pl.String).unique(maintain_order=True)
    told = ", ".join(f"'{name}'" for name in names.head(_SHOWN))
    count = (
        "1 row outside training has"
        if lost.sum() == 1
        else (f"{int(lost.sum()):,} rows outside training have")
    )
    parts[lost] = _UNKNOWN
    return np.where(np.isin(classes, known), classes, known[0]), [
        f"{count} a '{answers.name}' that no row of training has ({told}): "
        "the model cannot answer so. They are left out of the figures, which will look better "
        "than practice."
    ]


def split_given(
    train: pl.DataFrame,
    validation: pl.DataFrame | None,
    test: pl.DataFrame | None,
    rule: SplitRule,
    target: str | None = None,
    *,
    leave_out_unknown: bool = False,
) -> tuple[pl.DataFrame, Split]:
    """Put the user's own parts under each other and split only what they did not give.

    Returns (one frame: rows of train, then validation, then test; the split of it).
    """
    given = [frame for frame in (validation, test) if frame is not None]
    whole = _stack([train, *given])
    fractions = (
        rule.fractions[0],
        0.0 if validation is not None else rule.fractions[1],
        0.0 if test is not None else rule.fractions[2],
    )
    shares = tuple(share / sum(fractions) for share in fractions)
    rest = rule.model_copy(update={"fractions": shares})
    inner = split(train, rest, target, leave_out_unknown=leave_out_unknown)
    sizes = np.cumsum(
        [train.height] + [f.height if f is not None else 0 for f in (validation, test)]
    )
    parts = np.full(whole.height, _UNKNOWN, np.int64)
    for code, rows in enumerate((inner.train, inner.validation, inner.test)):
        parts[rows] = code
    if validation is not None:
        parts[sizes[0] : sizes[1]] = 1
    if test is not None:
        parts[sizes[1] : sizes[2]] = 2
    rule = rule.model_copy(update={"method": "given", "cuts": inner.rule.cuts})
    classes, notes = _class_codes(whole, target), inner.notes
    if leave_out_unknown and target is not None:
        classes, said = _without_unknown(parts, classes, whole[target])
        notes = [*notes, *said]
    result = _as_split(parts, rule, notes)
    _check_parts(result, whole, target, classes)
    return whole, result


def _stack(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    problems = []
    for name, frame in zip(("first", "second", "third"), frames, strict=False):
        lacking = [c for c in frames[0].columns if c not in frame.columns]
        if lacking:
            told = ", ".join(f"'{c}'" for c in lacking[:_SHOWN])
            problems.append((f"The {name} of the given files lacks {told}.", ""))
    if problems:
        raise DataError.of([*problems, ("Given parts must have the training columns.", "")])
    names = frames[0].columns
    return pl.concat([frame.select(names) for frame in frames], how="vertical_relaxed")


def _check_rule(frame: pl.DataFrame, rule: SplitRule) -> None:
    problems = []
    if min(rule.fractions) < 0 or abs(sum(rule.fractions) - 1) > 1e-6 or rule.fractions[0] == 0:
        problems.append((f"The fractions {rule.fractions} do not sum to 1.", "e.g. 0.7 0.15 0.15"))
    needs = {"group": "--group", "time": "--time"}.get(rule.method)
    if needs and (rule.column is None or rule.column not in frame.columns):
        hint = did_you_mean(rule.column or "", frame.columns)
        listed = ", ".join(f"'{name}'" for name in frame.columns[:40])
        problems.append((f"{needs} '{rule.column}': no such column.", f"{hint}there are {listed}"))
    if rule.label_delay_seconds and rule.method != "time":
        problems.append(("--label-delay needs --time.", "name the time column with --time"))
    if rule.label_delay_seconds < 0:
        problems.append(("--label-delay is negative.", 'e.g. --label-delay "7 days"'))
    if problems:
        raise OptionError.of(problems)
    wanted = sum(share > 0 for share in rule.fractions)
    if frame.height < wanted:
        raise DataError(f"{frame.height} rows cannot be parted into {wanted}.", "give more rows")


def _class_codes(frame: pl.DataFrame, target: str | None) -> Codes:
    """Return a code int64 [N] for each row's class; all 0 without classes."""
    if target is None:
        return np.zeros(frame.height, np.int64)
    _, codes = np.unique(hash_values(text_of(frame[target])), return_inverse=True)
    return codes.astype(np.int64)


def _as_split(parts: Codes, rule: SplitRule, notes: list[str]) -> Split:
    train, validation, test = (np.flatnonzero(parts == i).astype(np.int64) for i in range(3))
    return Split(train=train, validation=validation, test=test, rule=rule, notes=notes)


def _check_parts(result: Split, frame: pl.DataFrame, target: str | None, classes: Codes) -> None:
    """Refuse empty parts, and parts in which a class does not appear."""
    problems = []
    for name, share in zip(PARTS, result.rule.fractions, strict=True):
        rows: Rows = getattr(result, name)
        if len(rows) == 0 and (share > 0 or name == "train"):
            problems.append((f"No row is left for {name}.", _hint(result.rule)))
        absent = np.setdiff1d(classes, classes[rows]) if len(rows) else np.array([], np.int64)
        if target is None or not len(absent):
            continue
        if name != "train" and len(np.unique(classes)) > 2:
            result.notes.append(_untold(frame, target, classes, absent, name))
        else:
            example = frame[target][int(np.flatnonzero(classes == absent[0])[0])]
            more = f" and {len(absent) - 1} more" if len(absent) > 1 else ""
            problems.append(
                (f"The {name} part has no row of '{target}' {example}{more}.", _hint(result.rule))
            )
    if problems:
        raise DataError.of(problems)


def _untold(
    frame: pl.DataFrame, target: str, classes: Codes, absent: NDArray[np.int64], part: str
) -> str:
    """Say which classes a part has no row of."""
    firsts = [int(np.flatnonzero(classes == code)[0]) for code in absent[:_SHOWN]]
    told = ", ".join(f"'{frame[target][row]}'" for row in firsts)
    more = f" and {len(absent) - _SHOWN} more" if len(absent) > _SHOWN else ""
    return f"No row of {part} has the '{target}' {told}{more}: too rare to be in every part."


def _hint(rule: SplitRule) -> str:
    return {
        "stratified": "give more rows of each class",
        "group": "give more groups, or try another --seed",
        "time": "give a longer time, a shorter --label-delay, or leave --time out",
        "given": "each given file needs rows of each class",
    }[rule.method]


def _by_content(
    frame: pl.DataFrame, rule: SplitRule, target: str | None, classes: Codes
) -> tuple[Codes, SplitRule, list[str]]:
    """Order each class by the hash of what its rows hold and cut the order in exact shares.

    Rows that hold the same stay together, lest one tests what another taught; unless so many rows
    are alike that this is the nature of the data, and would leave a lopsided test.
    """
    names = [c for c in (rule.content or frame.columns) if c != target]
    hashes = _hashes(frame, names, rule.seed)
    distinct = len(np.unique(hashes))
    fewest = (1 - _MOST_DUPLICATES) * frame.height
    notes, alike = [], frame.height - distinct
    orders = hashes
    if rule.ignored:
        orders = _hashes(
            frame, [c for c in frame.columns if c in {*names, *rule.ignored}], rule.seed
        )
    if distinct >= fewest:
        orders = orders if orders is hashes else _least_of_equals(orders, hashes)
        told = "1 row repeats" if alike == 1 else f"{alike:,} rows repeat"
        notes += [f"{told} another row; equal rows are kept in one part."] if alike else []
    elif len(np.unique(orders)) < fewest:
        orders = mixed(orders + mixed(_occurrence(orders, classes)))
    parts = np.zeros(frame.height, np.int64)
    for code in np.unique(classes):
        rows = np.flatnonzero(classes == code)
        parts[rows] = cut_by_rank(orders[rows], rule.fractions)
    return parts, rule, notes


def _hashes(frame: pl.DataFrame, names: list[str], seed: int) -> NDArray[np.uint64]:
    """Return a hash of what each row holds in these columns, uint64 [N]."""
    if not names:
        return np.zeros(frame.height, np.uint64)
    return hash_rows(frame.select(names), seed)


def _least_of_equals(orders: NDArray[np.uint64], hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return each row's order; rows with the same hash get the least of theirs: they stay together.

    orders, hashes: uint64 [N]
    """
    table = pl.DataFrame({"hash": hashes, "order": orders})
    return table.select(pl.col("order").min().over("hash")).to_series().to_numpy()


def _occurrence(hashes: NDArray[np.uint64], classes: Codes) -> NDArray[np.uint64]:
    """Number equal rows of a class 0, 1, 2 … in the order they stand."""
    table = pl.DataFrame({"hash": hashes, "class": classes})
    numbered = table.select(pl.int_range(pl.len()).over("hash", "class").alias("number"))
    return numbered["number"].cast(pl.UInt64).to_numpy()


def _by_group(frame: pl.DataFrame, rule: SplitRule) -> tuple[Codes, SplitRule, list[str]]:
    """Order the groups by their hash and cut where the shares of rows are nearest."""
    assert rule.column is not None
    keys, notes = _group_keys(frame[rule.column], rule)
    groups, codes, sizes = np.unique(keys, return_inverse=True, return_counts=True)
    wanted = sum(share > 0 for share in rule.fractions)
    if len(groups) < wanted:
        raise DataError(
            f"--group {rule.pattern or rule.column} gives {len(groups)} group(s); {wanted} parts "
            "need one each at least.",
            "give more groups, or leave --group out",
        )
    order = np.argsort(mixed(groups ^ np.uint64(hash_text("group", rule.seed))), kind="stable")
    parts_of_groups = np.empty(len(groups), np.int64)
    parts_of_groups[order] = cut_groups(sizes[order], rule.fractions)
    notes.append(f"{len(groups):,} groups; none lies in two parts.")
    return parts_of_groups[codes], rule, notes


def _group_keys(values: pl.Series, rule: SplitRule) -> tuple[NDArray[np.uint64], list[str]]:
    """Return a hash uint64 [N] for each row's group; rows without one are groups of their own."""
    if rule.pattern is not None:
        values = matched(values, rule.pattern)
    missing = values.is_null().to_numpy()
    keys = hash_values(values)
    keys[missing] = mixed(np.flatnonzero(missing).astype(np.uint64) + mixed(keys[missing]))
    count = int(missing.sum())
    notes = [f"{count:,} rows have no '{rule.column}'; each counts as a group."] if count else []
    return keys, notes


def matched(values: pl.Series, pattern: str) -> pl.Series:
    try:
        group = 1 if re.compile(pattern).groups else 0
        found = values.cast(pl.String).str.extract(pattern, group)
    except (re.error, pl.exceptions.ComputeError) as error:
        raise OptionError(
            f"--group {pattern} is no pattern: {error}", "see docs on --group"
        ) from error
    unmatched = values.filter(found.is_null())
    if unmatched.len():
        shown = ", ".join(f"'{value}'" for value in unmatched.head(_SHOWN))
        raise DataError(
            f"--group {pattern} does not match {unmatched.len():,} names, for example {shown}.",
            "the pattern must match every name; its first (group) is what counts",
        )
    return found


def _by_time(frame: pl.DataFrame, rule: SplitRule) -> tuple[Codes, SplitRule, list[str]]:
    """Part at two moments; rows of one moment stay together."""
    assert rule.column is not None
    seconds = time_seconds(frame[rule.column])
    known = np.isfinite(seconds)
    notes = []
    if not known.all():
        notes.append(f"{int((~known).sum()):,} rows have no '{rule.column}': left out.")
    if not known.any():
        raise DataError(f"No row has a '{rule.column}'.", "name another column with --time")
    delay = rule.label_delay_seconds
    if delay:
        known &= seconds <= seconds[known].max() - delay
    if not known.any():
        raise DataError(
            f"All rows are younger than {spell_duration(delay)}, so no answer is known yet.",
            "shorten --label-delay",
        )
    cuts = rule.cuts or cut_times(seconds[known], rule.fractions, rule.column)
    parts = np.searchsorted(np.array(cuts), seconds, side="right").astype(np.int64)
    ends = np.array([cuts[0], cuts[1], np.inf])[np.minimum(parts, 2)]
    parts[(seconds > ends - delay) | ~known] = _UNKNOWN
    if delay:
        notes.append(_delay_note(parts, delay))
    is_date = not frame.schema[rule.column].is_numeric()
    begin, end = (_moment(cut, is_date) for cut in cuts)
    notes.append(f"Validation begins at {begin}, test at {end}; training lies before.")
    return parts, rule.model_copy(update={"cuts": cuts}), notes


def _delay_note(parts: Codes, delay: float) -> str:
    count = int((parts == _UNKNOWN).sum())
    return (
        f"Answers are taken to be known after {spell_duration(delay)}: {count:,} rows too young "
        "at a cut or at the end of the data are left out."
    )


def _moment(seconds: float, is_date: bool) -> str:
    if not is_date:
        return f"{seconds:g}"
    moment = pl.Series([round(seconds * 1e6)]).cast(pl.Datetime("us"))
    return str(moment.dt.strftime("%Y-%m-%d %H:%M")[0])
