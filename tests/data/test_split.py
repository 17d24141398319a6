from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.data.durations import spell_duration
from treadle.data.hashing import hash_rows, hash_values
from treadle.data.split import PARTS, Split, SplitRule, parse_duration, split, split_given
from treadle.errors import DataError, OptionError


def table(num_rows: int, *, seed: int = 0, distinct: int | None = None) -> pl.DataFrame:
    """Two classes 1:4, a number, a text, a group of about seven rows, a time in file order."""
    random = np.random.default_rng(seed)
    values = (
        random.normal(size=num_rows)
        if distinct is None
        else random.integers(distinct, size=num_rows)
    )
    return pl.DataFrame(
        {
            "value": values.astype(float),
            "word": [f"w{i}" for i in random.integers(5, size=num_rows)],
            "group": [f"g{i}" for i in random.integers(max(num_rows // 7, 1), size=num_rows)],
            "moment": random.integers(0, max(num_rows // 3, 1), size=num_rows),
            "label": (np.arange(num_rows) % 5 == 0).astype(int),
        }
    )


def parts(result: Split) -> list[np.ndarray]:
    return [getattr(result, name) for name in PARTS]


def contents(frame: pl.DataFrame, rows: np.ndarray) -> list[int]:
    return sorted(hash_rows(frame[rows]).tolist())


RULES = [
    SplitRule(seed=3),
    SplitRule(method="group", column="group", seed=3),
    SplitRule(method="time", column="moment"),
]
rules = st.sampled_from(RULES)
sizes = st.integers(150, 600)


@settings(max_examples=40, deadline=None)
@given(rule=rules, num_rows=sizes, seed=st.integers(0, 50))
def test_every_row_lies_in_exactly_one_part(rule: SplitRule, num_rows: int, seed: int) -> None:
    result = split(table(num_rows, seed=seed), rule)
    together = np.concatenate(parts(result))
    assert sorted(together.tolist()) == list(range(num_rows))
    assert all((np.diff(part) > 0).all() and part.dtype == np.int64 for part in parts(result))


@settings(max_examples=30, deadline=None)
@given(rule=rules, num_rows=sizes, seed=st.integers(0, 50))
def test_the_same_table_is_split_alike_twice(rule: SplitRule, num_rows: int, seed: int) -> None:
    frame = table(num_rows, seed=seed)
    for one, other in zip(parts(split(frame, rule)), parts(split(frame, rule)), strict=True):
        assert (one == other).all()


@settings(max_examples=40, deadline=None)
@given(rule=rules, num_rows=sizes, seed=st.integers(0, 50), distinct=st.sampled_from([None, 9]))
def test_the_order_of_the_rows_and_columns_does_not_matter(
    rule: SplitRule, num_rows: int, seed: int, distinct: int | None
) -> None:
    frame = table(num_rows, seed=seed, distinct=distinct)
    shuffled = frame.sample(fraction=1.0, shuffle=True, seed=seed).select(frame.columns[::-1])
    for one, other in zip(parts(split(frame, rule)), parts(split(shuffled, rule)), strict=True):
        assert contents(frame, one) == contents(shuffled, other)


@settings(max_examples=40, deadline=None)
@given(
    num_rows=st.integers(40, 500), fractions=st.sampled_from([(0.7, 0.15, 0.15), (0.5, 0.3, 0.2)])
)
def test_stratified_parts_have_exact_shares_of_each_class(
    num_rows: int, fractions: tuple[float, float, float]
) -> None:
    frame = table(num_rows)
    result = split(frame, SplitRule(fractions=fractions), "label")
    for label in (0, 1):
        total = int((frame["label"] == label).sum())
        for part, share in zip(parts(result), fractions, strict=True):
            assert abs(int((frame["label"][part] == label).sum()) - share * total) < 1


def test_another_seed_gives_another_split() -> None:
    frame = table(300)
    one, other = (split(frame, SplitRule(seed=seed)).test for seed in (0, 1))
    assert set(one.tolist()) != set(other.tolist())


def test_the_split_does_not_change_between_versions() -> None:
    frame = pl.DataFrame({"n": range(20), "t": [f"x{i}" for i in range(20)]})
    assert split(frame, SplitRule()).test.tolist() == [5, 7, 12]


def test_equal_rows_stay_in_one_part() -> None:
    frame = table(400)
    doubled = pl.concat([frame, frame.head(30)])
    result = split(doubled, SplitRule(), "label")
    part_of = np.empty(430, int)
    for i, rows in enumerate(parts(result)):
        part_of[rows] = i
    assert (part_of[:30] == part_of[400:]).all()
    assert any("30 rows repeat" in note for note in result.notes)


def test_a_table_of_few_different_rows_is_still_cut_in_exact_shares() -> None:
    frame = pl.DataFrame({"x": [1, 2, 3, 4] * 100, "y": [0, 1] * 200})
    result = split(frame, SplitRule(), "y")
    assert [len(part) for part in parts(result)] == [280, 60, 60]


def test_only_the_named_content_counts() -> None:
    frame = table(200).with_row_index()
    renumbered = frame.with_columns(pl.col("index") + 7)
    rule = SplitRule(content=("value", "word"))
    assert (split(frame, rule).test == split(renumbered, rule).test).all()


@settings(max_examples=40, deadline=None)
@given(num_rows=sizes, seed=st.integers(0, 100))
def test_no_group_lies_in_two_parts(num_rows: int, seed: int) -> None:
    frame = table(num_rows, seed=seed)
    result = split(frame, SplitRule(method="group", column="group", seed=seed))
    groups = [set(frame["group"][rows].to_list()) for rows in parts(result)]
    assert all(groups) and not (
        groups[0] & groups[1] | groups[0] & groups[2] | groups[1] & groups[2]
    )
    assert abs(len(result.train) / num_rows - 0.7) < 0.15


def test_rows_without_a_group_stand_alone() -> None:
    frame = pl.DataFrame({"g": [None] * 50 + ["a"] * 20})
    result = split(frame, SplitRule(method="group", column="g"))
    assert all(len(part) > 0 for part in parts(result))
    assert any("50 rows have no 'g'" in note for note in result.notes)


def test_groups_come_from_a_pattern_in_file_names() -> None:
    paths = [f"photos/cell{i // 4:02d}_{i % 4}.png" for i in range(80)]
    rule = SplitRule(method="group", column="path", pattern=r"(cell\d+)_")
    result = split(pl.DataFrame({"path": paths}), rule)
    cells = [{paths[i].split("_")[0] for i in rows} for rows in parts(result)]
    assert not (cells[0] & cells[1] | cells[0] & cells[2] | cells[1] & cells[2])
    with pytest.raises(DataError, match=r"does not match 1 names, for example 'odd\.png'"):
        split(pl.DataFrame({"path": [*paths, "odd.png"]}), rule)
    with pytest.raises(OptionError, match="is no pattern"):
        split(pl.DataFrame({"path": paths}), rule.model_copy(update={"pattern": "("}))


@settings(max_examples=40, deadline=None)
@given(num_rows=sizes, seed=st.integers(0, 100))
def test_time_parts_follow_each_other_and_share_no_moment(num_rows: int, seed: int) -> None:
    frame = table(num_rows, seed=seed)
    result = split(frame, SplitRule(method="time", column="moment"))
    train, validation, test = (frame["moment"][rows].to_numpy() for rows in parts(result))
    assert train.max() < validation.min() and validation.max() < test.min()
    assert abs(len(train) / num_rows - 0.7) < 0.1


@pytest.mark.parametrize("as_text", [False, True])
def test_label_delay_leaves_out_what_is_too_young_at_each_cut(as_text: bool) -> None:
    start = datetime(2025, 1, 1)  # noqa: DTZ001
    days = pl.Series("day", [start + timedelta(days=i) for i in range(100)])
    frame = pl.DataFrame({"day": days.dt.strftime("%d.%m.%Y") if as_text else days})
    rule = SplitRule(method="time", column="day", label_delay_seconds=parse_duration("7 days"))
    result = split(frame, rule)
    train, validation, test = parts(result)
    assert validation.min() - train.max() == 7 and test.min() - validation.max() == 7
    assert test.max() == 99 - 7
    assert any("7 days" in note for note in result.notes)


def test_known_cuts_part_later_rows_alike() -> None:
    frame = pl.DataFrame({"t": np.arange(100.0)})
    rule = split(frame, SplitRule(method="time", column="t")).rule
    assert rule.cuts is not None
    later = pl.DataFrame({"t": np.arange(50.0, 150.0)})
    assert later["t"][split(later, rule).test].min() == rule.cuts[1]
    assert SplitRule.model_validate_json(rule.model_dump_json()) == rule


def test_rows_without_a_time_are_left_out_and_told() -> None:
    result = split(pl.DataFrame({"t": [None, *range(50)]}), SplitRule(method="time", column="t"))
    assert 0 not in np.concatenate(parts(result))
    assert any("1 rows have no 't'" in note for note in result.notes)


def test_given_parts_are_kept_and_the_rest_is_split() -> None:
    whole, result = split_given(table(100), None, table(40, seed=9), SplitRule(), "label")
    assert whole.height == 140
    assert result.test.tolist() == list(range(100, 140))
    assert sorted([*result.train, *result.validation]) == list(range(100))
    assert abs(len(result.validation) - 100 * 0.15 / 0.85) <= 2


def test_all_parts_given() -> None:
    _, result = split_given(table(30), table(20), table(10), SplitRule(), "label")
    assert [len(part) for part in parts(result)] == [30, 20, 10]
    assert result.rule.method == "given"


def test_given_parts_must_have_the_columns() -> None:
    with pytest.raises(DataError, match="lacks 'word'"):
        split_given(table(30), None, table(10).drop("word"), SplitRule())


@pytest.mark.parametrize(
    ("frame", "rule", "expected"),
    [
        (table(30).head(2), SplitRule(), "cannot be parted"),
        (table(30), SplitRule(method="group", column="nogroup"), "no such column"),
        (table(30), SplitRule(method="time"), "no such column"),
        (table(30), SplitRule(fractions=(0.5, 0.1, 0.1)), "sum to 1"),
        (table(30), SplitRule(label_delay_seconds=5), "needs --time"),
        (pl.DataFrame({"g": ["a"] * 9}), SplitRule(method="group", column="g"), "1 group"),
        (pl.DataFrame({"t": [1.0] * 9}), SplitRule(method="time", column="t"), "1 different time"),
        (pl.DataFrame({"t": ["soon"] * 9}), SplitRule(method="time", column="t"), "no date"),
        (
            pl.DataFrame({"t": range(9)}),
            SplitRule(method="time", column="t", label_delay_seconds=99),
            "younger than",
        ),
    ],
)
def test_refuses_what_cannot_be_split(frame: pl.DataFrame, rule: SplitRule, expected: str) -> None:
    with pytest.raises((DataError, OptionError), match=expected):
        split(frame, rule)


def test_refuses_parts_without_a_class() -> None:
    frame = pl.DataFrame({"t": range(100), "y": [0] * 90 + [1] * 10})
    with pytest.raises(DataError, match="train part has no row of 'y' 1"):
        split(frame, SplitRule(method="time", column="t"), "y")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7 days", 604_800),
        ("12 hours", 43_200),
        ("1 day 6h", 108_000),
        ("90s", 90),
        ("2 weeks", 1_209_600),
    ],
)
def test_reads_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "7", "7 parsecs", "days 7", "7 days x"])
def test_refuses_what_is_no_duration(text: str) -> None:
    with pytest.raises(OptionError, match="no length of time"):
        parse_duration(text)


@given(days=st.integers(1, 400))
def test_durations_are_spelled_as_they_are_read(days: int) -> None:
    assert parse_duration(spell_duration(days * 86_400.0)) == days * 86_400.0


def test_hashes_know_values_not_types() -> None:
    whole = hash_values(pl.Series([3, 0, None]))
    assert (whole == hash_values(pl.Series([3.0, -0.0, float("nan")]))).all()
    day = datetime(2025, 1, 1)  # noqa: DTZ001
    assert (hash_values(pl.Series([day])) == hash_values(pl.Series([day.date()]))).all()


def test_one_of_many_classes_may_lack_in_test_and_that_is_told() -> None:
    frame = pl.DataFrame({"t": range(100), "y": ["a", "b"] * 45 + ["a"] * 10})
    frame = frame.with_columns(y=pl.when(pl.col("t") < 9).then(pl.lit("c")).otherwise("y"))
    result = split(frame, SplitRule(method="time", column="t"), "y")
    assert any("No row of test has the 'y' 'c'" in note for note in result.notes)


def test_an_ignored_column_leaves_rows_in_their_parts_and_equal_rows_together() -> None:
    random = np.random.default_rng(5)
    frame = pl.DataFrame(
        {
            "value": random.integers(0, 5_000, 600),
            "word": random.choice(["a", "b"], 600),
            "extra": random.normal(size=600),
            "answer": random.choice(["yes", "no"], 600),
        }
    )
    whole = split(frame, SplitRule(content=("value", "word", "extra")), "answer")
    fewer = split(frame, SplitRule(content=("value", "word"), ignored=("extra",)), "answer")
    alike = split(frame, SplitRule(content=("value", "word")), "answer")
    same = np.mean(whole.part_of(600) == fewer.part_of(600))
    assert same > 0.9 > np.mean(whole.part_of(600) == alike.part_of(600))
    parts = fewer.part_of(600)
    for _, rows in frame.with_row_index().group_by("value", "word", "answer"):
        assert len(set(parts[rows["index"].to_numpy()])) == 1
