"""The eight kinds of leaks: found where they are planted, in one sentence with one action."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

import treadle

ROWS = 1200
RANDOM = np.random.default_rng(0)
Y = RANDOM.integers(2, size=ROWS)
AMOUNT = RANDOM.gamma(2.0, 50.0, ROWS)


def classes(**columns: Any) -> pl.DataFrame:
    noise = {f"n{place}": np.random.default_rng(place).normal(size=ROWS) for place in range(3)}
    noise["n0"] = noise["n0"] + Y
    return pl.DataFrame({**noise, "y": np.where(Y == 1, "yes", "no"), **columns})


def numbers(**columns: Any) -> pl.DataFrame:
    return classes().drop("y").with_columns(y=pl.Series(AMOUNT), **columns)


def leaks(frame: pl.DataFrame, **options: Any) -> dict[str, str]:
    """Return the column of each leak that was told, and its kind."""
    found = treadle.check(frame, target="y", **options)["findings"]
    told = [f for f in found if "leak" in f["evidence"]]
    assert all(f["severity"] == "warning" and f["action"] for f in told)
    return {f["evidence"].get("column", ""): f["evidence"]["leak"] for f in told}


def test_a_sound_table_has_no_leak() -> None:
    assert leaks(classes()) == {}
    assert leaks(numbers()) == {}


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        (classes(z=np.where(Y == 1, "yes", "no")), "copy"),
        (classes(z=Y * 7 + 3), "copy"),
        (numbers(z=pl.Series(AMOUNT * 1.19 + 2)), "copy"),
        (classes(z=np.where(np.arange(ROWS) % 40 == 0, 1 - Y, Y)), "near_copy"),
        (numbers(z=pl.Series(AMOUNT + RANDOM.normal(0, 5, ROWS))), "near_copy"),
        (
            classes(z=(1 + 2 * Y) * RANDOM.choice([-1, 1], ROWS) + RANDOM.normal(0, 0.3, ROWS)),
            "alone",
        ),
        (classes(z=[f"desk {v * 9 + i % 9}" for i, v in enumerate(Y)]), "alone"),
        (classes(z=[3.5 if v and i % 3 else None for i, v in enumerate(Y)]), "after_event"),
        (classes(z=[None if v and i % 3 else 3.5 + i for i, v in enumerate(Y)]), "after_event"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_one_column_that_gives_the_answer_away_is_named_and_called_by_its_kind(
    frame: pl.DataFrame, kind: str
) -> None:
    assert leaks(frame) == {"z": kind}


def test_a_date_after_the_rows_own_time_is_told_and_an_earlier_one_is_not() -> None:
    opened = np.datetime64("2024-01-01T00:00:00", "us") + np.arange(ROWS) * 3_600_000_000
    later = opened + RANDOM.integers(60, 90_000, ROWS) * 1_000_000
    frame = classes(
        opened=opened, closed=later, born=opened - RANDOM.integers(60, 90_000, ROWS) * 1_000_000
    )
    assert leaks(frame, time="opened") == {"closed": "after_event"}


@pytest.mark.parametrize("name", ["ranges", "letters"])
def test_an_identifier_whose_order_tells_the_answer_is_told(name: str) -> None:
    order = np.argsort(np.argsort(Y + RANDOM.random(ROWS) / 2))
    names = {"ranges": 5000 + order * 2, "letters": [f"{'AB'[v]}-{i:05}" for i, v in enumerate(Y)]}
    assert leaks(classes(case=names[name])) == {"case": "identifier"}


def blocks() -> pl.DataFrame:
    order = np.argsort(Y, kind="stable").reshape(-1, 24)
    return classes()[np.random.default_rng(1).permutation(order).ravel()]


def test_answers_in_blocks_of_time_ask_for_time() -> None:
    moments = np.datetime64("2024-01-01T00:00:00", "us") + np.arange(ROWS) * 600_000_000
    frame = blocks().with_columns(seen=pl.Series(moments)).sample(fraction=1, shuffle=True, seed=1)
    assert leaks(frame)["seen"] in ("time", "alone")
    assert leaks(frame, time="seen") == {}


def test_answers_in_blocks_of_the_file_are_told_and_a_sorted_file_is_not() -> None:
    assert leaks(blocks()) == {"": "time"}
    assert leaks(classes().sort("y")) == {}
    assert leaks(numbers().sort("y")) == {}


def test_rows_of_one_person_in_several_parts_ask_for_group() -> None:
    person = np.empty(ROWS, np.int64)
    person[np.argsort(Y, kind="stable")] = np.arange(ROWS) // 6
    frame = classes(person=[f"P{v * 7919 % 997:03}" for v in person])
    assert leaks(frame)["person"] in ("group", "alone")
    assert leaks(frame, group="person") == {}


def test_a_number_of_a_person_is_told_as_whose_rows_these_are() -> None:
    person = np.empty(ROWS, np.int64)
    person[np.argsort(Y, kind="stable")] = np.arange(ROWS) // 6
    found = leaks(classes(person_id=person * 7919 % 997, weight=person % 89))
    assert found["person_id"] == "group"


def test_neighbours_that_are_of_one_group_are_in_one_part() -> None:
    frame = blocks().with_columns(batch=pl.int_range(pl.len()) // 30)
    assert "time" in leaks(frame).values()
    assert "time" not in leaks(frame, group="batch").values()


def test_a_row_number_that_is_ignored_or_counts_with_time_is_no_leak() -> None:
    days = pl.datetime_range(
        pl.datetime(2024, 1, 1), pl.datetime(2026, 1, 1), interval="1h", eager=True
    )
    order = np.argsort(Y + RANDOM.normal(0, 0.4, ROWS))  # mostly one kind after the other
    frame = classes()[order].with_columns(row_id=pl.int_range(pl.len()), at=days.head(ROWS))
    assert leaks(frame)["row_id"] == "identifier"
    assert "row_id" not in leaks(frame, ignore=["row_id"])
    assert "row_id" not in leaks(frame, time="at")


def test_a_number_that_orders_the_answers_is_no_group() -> None:
    steps = RANDOM.integers(0, 200, ROWS)
    frame = numbers().with_columns(
        y=pl.Series(steps + RANDOM.normal(0, 20, ROWS)), size=pl.Series(steps)
    )
    assert "group" not in leaks(frame).values()


GROUP = RANDOM.integers(60, size=ROWS)
SUMS, COUNTS = np.bincount(GROUP, weights=Y), np.bincount(GROUP)


@pytest.mark.parametrize(
    "made",
    [
        (SUMS / COUNTS)[GROUP],
        ((SUMS[GROUP] - Y) / (COUNTS[GROUP] - 1)),
        ((SUMS + 2 * Y.mean()) / (COUNTS + 2))[GROUP],
    ],
    ids=["mean", "mean of the other rows", "smoothed mean"],
)
def test_a_mean_of_the_answers_over_all_rows_is_told_with_its_group(made: Any) -> None:
    frame = classes(region=[f"R{g}" for g in GROUP], rate=made)
    assert leaks(frame) == {"rate": "derived"}
    found = treadle.check(frame, target="y")["findings"]
    assert "'region'" in next(f["sentence"] for f in found if "leak" in f["evidence"])


def test_what_is_known_of_a_group_beforehand_is_no_leak() -> None:
    chance = np.random.default_rng(5).random(60)
    truth = np.random.default_rng(6).random(ROWS) < chance[GROUP]
    frame = classes(region=[f"R{g}" for g in GROUP], wealth=chance[GROUP])
    assert leaks(frame.with_columns(y=pl.Series(truth))) == {}


def test_columns_that_add_up_or_multiply_to_the_answer_are_told() -> None:
    part = RANDOM.gamma(2, 20, ROWS)
    added = numbers(casual=pl.Series(part), member=pl.Series(AMOUNT - part))
    assert list(leaks(added).values()) == ["derived"]
    pieces = RANDOM.integers(1, 9, ROWS)
    sold = numbers(pieces=pl.Series(pieces), price=pl.Series(AMOUNT / pieces))
    assert list(leaks(sold).values()) == ["derived"]
