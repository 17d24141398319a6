"""What --without names: columns, rows, lists."""

from __future__ import annotations

import pytest

from treadle.api.pricing.asked import Condition, read_without
from treadle.errors import OptionError

COLUMNS = ["price", "supplier", "age", "date", "x=1", "sold and paid", "a,b"]


def conditions(text: str) -> list[tuple[str, str, str]]:
    found = read_without(text, COLUMNS).conditions
    return [(one.column, one.operator, one.value) for one in found]


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("price", ("price",)),
        ("price, age", ("price", "age")),
        ("column:price", ("price",)),
        ("x=1", ("x=1",)),
        ("a,b", ("a,b",)),
        ("columns: a,b", ("a,b",)),
        ("sold and paid", ("sold and paid",)),
    ],
)
def test_a_name_alone_is_the_column(text: str, columns: tuple[str, ...]) -> None:
    found = read_without(text, COLUMNS)
    assert (found.kind, found.columns) == ("columns", columns)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("supplier=B", [("supplier", "=", "B")]),
        ("supplier == B", [("supplier", "=", "B")]),
        ("supplier='B and sons'", [("supplier", "=", "B and sons")]),
        ("supplier=B and sons", [("supplier", "=", "B and sons")]),
        ("supplier=", [("supplier", "=", "")]),
        ("supplier!=B", [("supplier", "!=", "B")]),
        ("age<18", [("age", "<", "18")]),
        ("age >= 18 and date<2024-01-01", [("age", ">=", "18"), ("date", "<", "2024-01-01")]),
        ("x=1=2", [("x=1", "=", "2")]),
    ],
)
def test_a_comparison_names_rows(text: str, expected: list[tuple[str, str, str]]) -> None:
    assert read_without(text, COLUMNS).kind == "rows"
    assert conditions(text) == expected


def test_a_list_of_rows_is_a_file() -> None:
    found = read_without("rows:bad rows.csv", COLUMNS)
    assert (found.kind, found.file) == ("listed", "bad rows.csv")


@pytest.mark.parametrize("text", ["prise", "suplier=B", "price, prise", "column:prise", ""])
def test_an_unknown_column_is_refused_with_the_nearest(text: str) -> None:
    with pytest.raises(OptionError) as caught:
        read_without(text, COLUMNS)
    assert "there is no column" in str(caught.value) and "'price'" in str(caught.value)


def test_a_condition_reads_as_it_was_written() -> None:
    assert str(Condition(column="age", operator="<", value="18")) == "age < 18"
    assert str(Condition(column="age", operator="=", value="")) == "age ="
