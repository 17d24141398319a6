from __future__ import annotations

from treadle.cli.columns_told import ONE_BY_ONE, columns_told


def column(name: str, kind: str = "number", why: str = "numbers") -> dict[str, str]:
    return {"name": name, "kind": kind, "why": why}


def test_few_columns_have_a_line_each() -> None:
    columns = [column("size"), column("plan", "left_out", "it is empty")]
    assert list(columns_told(columns)) == [
        ("size", "number", "numbers"),
        ("plan", "left out", "it is empty"),
    ]


def test_many_columns_alike_share_a_line() -> None:
    numbers = [column(f"gene {place}") for place in range(ONE_BY_ONE)]
    texts = [
        column("place", "category", "text with 4 different values"),
        column("clinic", "category", "text with 1,204 different values"),
    ]
    assert list(columns_told([*numbers, *texts])) == [
        ("gene 0, gene 1, gene 2 and 37 more", "number", "numbers"),
        ("place, clinic", "category", "such as: text with 4 different values"),
    ]
