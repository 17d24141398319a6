from __future__ import annotations

from datetime import date, datetime, time, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.contracts import Task
from treadle.data.encoders import CategoryFeature
from treadle.data.recognise import CellFormat
from treadle.data.tables import (
    MISSING,
    UNSEEN,
    Column,
    Schema,
    TableEncoder,
    TargetEncoder,
    guess_task,
    infer_schema,
    plan_target,
)
from treadle.errors import DataError, OptionError

RANDOM = np.random.default_rng(0)
ROWS = 200


def described(values: object, name: str = "x", **options: object) -> Column:
    """Return what the schema says of a column `name` beside another one and a target."""
    column = pl.Series(name, values)  # type: ignore[arg-type]
    other = pl.Series("other", RANDOM.normal(size=column.len()))
    target = pl.Series("y", [0, 1] * column.len()).head(column.len())
    schema = infer_schema(pl.DataFrame([column, other, target]), "y", **options)  # type: ignore[arg-type]
    return next(column for column in schema.columns if column.name == name)


@pytest.mark.parametrize(
    ("values", "kind", "why"),
    [
        (RANDOM.normal(size=ROWS), "number", "numbers"),
        (RANDOM.integers(5, size=ROWS), "number", "whole numbers"),
        (RANDOM.choice(10_000_000, size=ROWS, replace=False), "number", "whole numbers"),
        (range(ROWS), "left_out", "identifier"),
        (RANDOM.permutation(ROWS) + 1_000_000, "left_out", "identifier"),
        ([7] * ROWS, "left_out", "every row holds the same: 7"),
        ([None] * ROWS, "left_out", "empty"),
        (["red", "blue"] * (ROWS // 2), "category", "2 different values"),
        ([True, False] * (ROWS // 2), "category", "yes or no"),
        ([f"K-{i:05d}" for i in range(ROWS)], "left_out", "identifier"),
        ([f"this is a long note number {i}" for i in range(ROWS)], "left_out", "free text"),
        ([f"C{i}" if i % 3 else None for i in range(ROWS)], "category", "whether it is filled in"),
        ([date(2025, 1, 1) + timedelta(days=i) for i in range(ROWS)], "date", "dates"),
        ([f"{1 + i % 28:02d}.12.2025" for i in range(ROWS)], "date", "dates"),
        ([20_250_100 + 1 + i % 28 for i in range(ROWS)], "date", "yyyymmdd"),
        ([[1, 2]] * ROWS, "left_out", "lists"),
        ([timedelta(hours=i % 30) for i in range(ROWS)], "number", "seconds"),
        ([1_700_000_000 + 977 * i for i in range(ROWS)], "number", "whole numbers"),
    ],
)
def test_says_what_a_column_is_and_why(values: object, kind: str, why: str) -> None:
    column = described(values)
    assert column.kind == kind and why in column.why


@pytest.mark.parametrize("name", ["id", "order_id", "OrderID", "Order Id"])
def test_a_name_tells_an_identifier_from_an_amount(name: str) -> None:
    scattered = RANDOM.choice(10_000_000, size=ROWS, replace=False)
    assert described(scattered, name).kind == "left_out"
    assert described(scattered, "paid").kind == "number"
    assert described(RANDOM.integers(9, size=ROWS), name).kind == "category"


def test_asked_for_columns_are_left_out_with_the_reason() -> None:
    assert "as you asked" in described([1.5, 2.5] * 50, ignore=["x"]).why
    assert described([1.5, 2.5] * 50, left_out={"x": "the weight"}).why == "the weight"


def test_the_time_of_a_split_keeps_its_clock_but_not_its_passing() -> None:
    seconds = described([3600 * i for i in range(ROWS)], time="x")
    assert (seconds.kind, seconds.clock, seconds.elapsed) == ("date", "seconds", False)
    assert described([2000 + i // 20 for i in range(ROWS)], time="x").kind == "left_out"


@pytest.mark.parametrize(
    ("target", "options", "error", "expected"),
    [
        (None, {}, DataError, "The columns are: 'x', 'y'"),
        ("z", {}, DataError, "no column 'z'"),
        ("xx", {}, DataError, "did you mean 'x'"),
        ("y", {"ignore": ["w"]}, OptionError, "no column 'w'"),
        ("y", {"ignore": ["x"]}, DataError, "No column is left"),
    ],
)
def test_refuses_wrong_columns(
    target: str | None, options: dict[str, list[str]], error: type[Exception], expected: str
) -> None:
    frame = pl.DataFrame({"x": [1.5, 2.5, 3.5], "y": [0, 1, 0]})
    with pytest.raises(error, match=expected):
        infer_schema(frame, target, **options)  # type: ignore[arg-type]


TRAIN = pl.DataFrame(
    {
        "amount": [1.5, 2.5, None, 4.0] * 50,
        "color": ["red", "blue", None, "red"] * 49 + ["green", "red", "red", "red"],
        "vip": [True, False, None, True] * 50,
        "when": [datetime(2024, 1, 1) + timedelta(hours=53 * i) for i in range(200)],  # noqa: DTZ001
        "y": [0, 1] * 100,
    }
)


def fitted(frame: pl.DataFrame = TRAIN, target: str = "y") -> TableEncoder:
    return TableEncoder.fit(frame, infer_schema(frame, target))


@pytest.mark.parametrize(
    ("num_values", "expected"),
    [(0, np.uint8), (254, np.uint8), (255, np.int16), (32_766, np.int16), (32_767, np.int32)],
)
def test_codes_are_kept_in_the_narrowest_type_that_holds_them(
    num_values: int, expected: type
) -> None:
    values = tuple(f"{number:05}" for number in range(num_values))
    column = Column(name="c", kind="category", why="", dtype="text")
    few = CategoryFeature(column="c", values=("a",))
    encoder = TableEncoder(
        table=Schema(target="y", columns=(column,)),
        numbers=(),
        categories=(few, CategoryFeature(column="c", values=values)),
    )
    codes = encoder.encode(pl.DataFrame({"c": [*values[-1:], None, "new"]}))["categories"]
    assert codes.dtype == expected
    assert codes[-2:].tolist() == [[1, 1], [0, 0]]
    assert num_values == 0 or codes[0].tolist() == [0, num_values + 1]


def test_encodes_numbers_dates_and_categories() -> None:
    encoder = fitted()
    arrays = encoder.encode(TRAIN)
    numbers, categories = arrays["numbers"], arrays["categories"]
    assert numbers.dtype == np.float32 and categories.dtype == np.uint8
    assert encoder.number_names == [
        *("amount", "when (days passed)", "when (hour)", "when (weekday)"),
        *("when (day of the month)", "when (month)", "when (day of the year)"),
    ]
    assert encoder.category_names == ["color", "vip"]
    assert numbers[:4, 0].tolist()[:2] == [1.5, 2.5] and np.isnan(numbers[2, 0])
    assert numbers[1].tolist()[1:] == pytest.approx([53 / 24, 5, 3, 3, 1, 3])
    red, missing = categories[0, 0], categories[2, 0]
    assert red == 2 and missing == MISSING
    assert categories[196, 0] == UNSEEN, "a value of a single training row is no value of its own"
    assert encoder.layout("two_classes").cardinalities == (4, 4)
    assert encoder.layout("two_classes").num_numbers == numbers.shape[1]


def test_travels_as_json() -> None:
    encoder = fitted()
    again = TableEncoder.model_validate_json(encoder.model_dump_json())
    assert again == encoder
    for name, array in again.encode(TRAIN).items():
        np.testing.assert_array_equal(array, encoder.encode(TRAIN)[name])


def test_values_unseen_in_training_get_their_own_code_and_extra_columns_are_ignored() -> None:
    later = TRAIN.head(2).with_columns(color=pl.lit("mauve"), extra=pl.lit(1)).drop("y")
    assert fitted().encode(later)["categories"][:, 0].tolist() == [UNSEEN, UNSEEN]


def test_only_the_train_part_is_learned_from() -> None:
    encoder = fitted(TRAIN.head(100))
    shifted = TRAIN.with_columns(amount=pl.col("amount") * 1e9)
    assert encoder == fitted(TRAIN.head(100)) != fitted(shifted)


def test_cells_arriving_as_text_are_read_and_bad_ones_told_row_by_row() -> None:
    later = pl.DataFrame(
        {
            "amount": ["3.25", "cheap", "n/a"],
            "color": ["red", "blue", ""],
            "vip": ["True", "false", None],
            "when": ["2025-01-01", "2025-01-02", "someday"],
        }
    )
    rows = fitted().encode_rows(later)
    assert rows.arrays["numbers"][0, 0] == 3.25
    assert rows.arrays["categories"].tolist() == [[2, 3 - 1], [3, 3], [MISSING, MISSING]]
    problems = rows.problems.to_list()
    assert problems[0] is None
    assert problems[1] == "'amount': 'cheap' is not a number."
    assert problems[2] == "'when': 'someday' is not a date."


def test_text_is_read_as_training_data_was_written() -> None:
    schema = Schema(
        target="y",
        columns=(
            Column(
                name="price",
                kind="number",
                why="",
                dtype="number",
                written=CellFormat(reads_as="number", decimal=",", missing_words=("none yet",)),
            ),
        ),
    )
    train = pl.DataFrame({"price": [1.5, 1200.0]})
    rows = TableEncoder.fit(train, schema).encode_rows(
        pl.DataFrame({"price": ["1.234", "7,5", "none yet"]})
    )
    assert rows.arrays["numbers"][:2, 0].tolist() == [1234.0, 7.5]
    assert np.isnan(rows.arrays["numbers"][2, 0]) and rows.problems.null_count() == 3
    assert schema.columns_as_text() == ["price"]


def test_missing_and_mistyped_columns_are_told_together() -> None:
    later = TRAIN.drop("color", "y").with_columns(amount=pl.col("when"), when=pl.lit(7))
    with pytest.raises(DataError) as caught:
        fitted().encode(later)
    message = str(caught.value)
    assert "'color' is missing" in message
    assert "'amount' should hold numbers" in message and "'when' should hold dates" in message


def test_a_column_of_nothing_readable_is_refused() -> None:
    later = TRAIN.head(20).with_columns(amount=pl.lit("cheap"))
    with pytest.raises(DataError, match="should hold numbers"):
        fitted().encode(later)


def test_large_numbers_keep_their_differences_in_float32() -> None:
    base = 1_700_000_000_000
    frame = pl.DataFrame({"t": [base + 977 * (i * 7 % 100) for i in range(100)], "y": [0, 1] * 50})
    numbers = fitted(frame).encode(frame)["numbers"][:, 0]
    np.testing.assert_array_equal(np.diff(numbers), np.diff(frame["t"].to_numpy()))


def test_infinite_numbers_count_as_missing() -> None:
    frame = pl.DataFrame({"x": [1.0, float("inf"), -1e300, 2.0] * 10, "y": [0, 1] * 20})
    numbers = fitted(frame).encode(frame)["numbers"]
    assert np.isnan(numbers[1, 0]) and np.isfinite(numbers[2, 0])


def test_whole_numbers_and_their_float_twins_are_one_category() -> None:
    frame = pl.DataFrame({"shop_id": [11, 12, 13, 11] * 25, "y": [0, 1] * 50})
    encoder = fitted(frame)
    expected = encoder.encode(frame)["categories"]
    floats = frame.with_columns(pl.col("shop_id").cast(pl.Float64))
    np.testing.assert_array_equal(encoder.encode(floats)["categories"], expected)
    with_hole = pl.DataFrame({"shop_id": [11.0, None, 12.5]})
    assert encoder.encode(with_hole)["categories"][:, 0].tolist() == [2, MISSING, UNSEEN]


def test_times_of_day_and_zoned_dates_are_encoded() -> None:
    start = pl.Series("z", [datetime(2025, 1, 1, i % 24) for i in range(48)])  # noqa: DTZ001
    frame = pl.DataFrame(
        {
            "clock": [time(i % 24, 30) for i in range(48)],
            "zoned": start.dt.replace_time_zone("Europe/Berlin"),
            "y": [0, 1] * 24,
        }
    )
    numbers = fitted(frame).encode(frame)["numbers"]
    assert numbers[1, 0] == 5400.0
    assert numbers[:5, -1].tolist() == [0, 1, 2, 3, 4]


CELLS = st.one_of(st.none(), st.text(max_size=3), st.sampled_from(["a", "b", "NA"]))


@settings(max_examples=60, deadline=None)
@given(train=st.lists(CELLS, min_size=20, max_size=40), later=st.lists(CELLS, max_size=10))
def test_codes_always_fit_the_layout(train: list[str | None], later: list[str | None]) -> None:
    schema = Schema(target="y", columns=(Column(name="c", kind="category", why="", dtype="text"),))
    encoder = TableEncoder.fit(pl.DataFrame({"c": pl.Series(train, dtype=pl.String)}), schema)
    codes = encoder.encode(pl.DataFrame({"c": pl.Series(later, dtype=pl.String)}))["categories"]
    (size,) = encoder.layout("two_classes").cardinalities
    assert codes.shape == (len(later), 1) and (codes >= 0).all() and (codes < size).all()


@pytest.mark.parametrize(
    ("values", "metric", "task"),
    [
        (["no", "yes"] * 20, None, "two_classes"),
        ([True, False] * 20, None, "two_classes"),
        ([0, 1] * 20, None, "two_classes"),
        ([1.0, 2.0] * 20, None, "two_classes"),
        (["a", "b", "c"] * 20, None, "classes"),
        ([0, 1, 2] * 20, None, "classes"),
        (list(range(16)) * 20, None, "classes"),
        ([0, 1, 2] * 20, "mean_absolute_error", "number"),
        ([*RANDOM.poisson(4, size=400), 19], None, "number"),
        (list(RANDOM.normal(size=60)), None, "number"),
        (list(RANDOM.integers(0, 300, size=400)), None, "number"),
        ([0, 1] * 20, "r2", "number"),
    ],
)
def test_guesses_the_task_and_says_so(values: object, metric: str | None, task: Task) -> None:
    guessed, sentence = guess_task(pl.Series("y", values), metric)  # type: ignore[arg-type]
    assert guessed == task and "'y'" in sentence and sentence.endswith(".")


@pytest.mark.parametrize(
    ("values", "options", "error", "expected"),
    [
        (["a"] * 9, {}, DataError, "nothing to tell apart"),
        ([None] * 9, {}, DataError, "nothing to tell apart"),
        ([f"text {i}" for i in range(90)], {}, DataError, "too few"),
        ([date(2025, 1, 1)] * 9, {}, DataError, "dates"),
        (["a"] * 9 + ["c"], {}, DataError, "fewer than 3 rows: 'c' 1"),
        ([1.5, float("inf"), 2.25, 7.5], {}, DataError, "infinite, or beyond 3e\\+38, in 1 row"),
        (["a", "b"] * 9, {"positive": "c"}, OptionError, "its values are 'a', 'b'"),
        (["a", "b", "c"] * 9, {"positive": "c"}, OptionError, "3 classes"),
        ([1.5, 2.25, 7.5], {"positive": "c"}, OptionError, "is a number"),
        (["a", "b"] * 9, {"metric": "r2"}, OptionError, "measures numbers"),
    ],
)
def test_refuses_targets_that_cannot_be_learned(
    values: object, options: dict[str, str], error: type[Exception], expected: str
) -> None:
    with pytest.raises(error, match=expected):
        plan_target(pl.DataFrame({"y": values}), "y", **options)  # type: ignore[arg-type]


def test_the_rarer_class_is_positive_and_said_first() -> None:
    plan = plan_target(pl.DataFrame({"y": ["bad", "good", "good", None] * 9}), "y")
    assert plan.encoder.classes == ("good", "bad")
    assert "'bad' is the positive class" in plan.notes[0]
    assert any("9 rows have no 'y'" in note for note in plan.notes)
    assert len(plan.keep) == 27 and 3 not in plan.keep


@pytest.mark.parametrize("positive", ["0", "0.0"])
def test_the_user_chooses_the_positive_class(positive: str) -> None:
    frame = pl.DataFrame({"y": [0, 1, 1] * 9})
    encoder = plan_target(frame, "y", positive=positive).encoder
    assert encoder.classes == ("1", "0")
    assert encoder.encode(frame["y"])[:3].tolist() == [1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (["x", "y", "z"] * 5, np.int64),
        ([10, 2, 1] * 5, np.int64),
        ([True, False, True] * 5, np.float32),
        ([1.5, 2.25, 9.0], np.float32),
    ],
)
def test_answers_come_back_as_they_were_given(values: object, dtype: type) -> None:
    answers = pl.Series("y", values)  # type: ignore[arg-type]
    encoder = plan_target(answers.to_frame(), "y").encoder
    encoder = TargetEncoder.model_validate_json(encoder.model_dump_json())
    encoded = encoder.encode(answers)
    assert encoded.dtype == dtype
    if encoder.task != "number":
        assert encoder.decode(encoded).to_list() == answers.to_list()  # type: ignore[arg-type]


def test_whole_number_classes_are_in_numeric_order() -> None:
    encoder = plan_target(pl.DataFrame({"y": [10, 2, 1] * 5}), "y").encoder
    assert encoder.classes == ("1", "2", "10") and encoder.num_outputs == 3


def test_unknown_answers_are_refused() -> None:
    encoder = plan_target(pl.DataFrame({"y": ["a", "b", "c"] * 5}), "y").encoder
    with pytest.raises(DataError, match="'d'"):
        encoder.encode(pl.Series(["a", "d"]))
