from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

from treadle.data.health import Finding, check_table
from treadle.data.split import SplitRule, split
from treadle.data.tables import infer_schema, plan_target

ROWS = 2000


def table(**columns: object) -> pl.DataFrame:
    random = np.random.default_rng(0)
    answer = random.integers(2, size=ROWS)
    frame = pl.DataFrame({"noise": random.normal(size=ROWS), "y": answer})
    return frame.with_columns(pl.Series(name, values) for name, values in columns.items())  # type: ignore[arg-type]


def findings_of(frame: pl.DataFrame, target: str = "y", **given: pl.DataFrame) -> list[Finding]:
    plan = plan_target(frame, target)
    is_number = plan.task == "number"
    rows = split(frame, SplitRule(), None if is_number else target)
    parts = {"train": rows.train, "validation": rows.validation, "test": rows.test}
    frames = {name: given.get(name, frame[numbers]) for name, numbers in parts.items()}
    schema = infer_schema(frame, target)
    found = check_table(frames["train"], frames["validation"], frames["test"], schema, plan.encoder)
    return [Finding.model_validate_json(finding.model_dump_json()) for finding in found]


def titles(frame: pl.DataFrame, target: str = "y", **given: pl.DataFrame) -> list[str]:
    return [finding.title for finding in findings_of(frame, target, **given)]


LEAK = "A column gives the answer away"


def test_a_sound_table_has_no_findings() -> None:
    assert titles(table()) == []


@pytest.mark.parametrize("name", ["copy", "renamed", "fuzzy", "u_shape", "only_filled_for_one"])
def test_columns_that_give_the_answer_away_are_found(name: str) -> None:
    random = np.random.default_rng(1)
    y = table()["y"].to_numpy()
    leaks = {
        "copy": y.tolist(),
        "renamed": np.where(y == 1, "churned", "stayed").tolist(),
        "fuzzy": (y + random.normal(scale=0.1, size=ROWS)).tolist(),
        "u_shape": (
            random.choice([-1.0, 1.0], ROWS) * (0.1 + y) + random.normal(size=ROWS) / 50
        ).tolist(),
        "only_filled_for_one": [
            v if label else None for v, label in zip(range(ROWS), y, strict=True)
        ],
    }
    found = [f for f in findings_of(table(**{name: leaks[name]})) if f.title == LEAK]
    assert [f.evidence["column"] for f in found] == [name]
    assert found[0].severity == "warning" and f"--ignore {name}" in found[0].action
    assert found[0].evidence["copy"] == (name in ("copy", "renamed"))


def test_a_strong_honest_column_is_no_leak() -> None:
    random = np.random.default_rng(1)
    y = table()["y"].to_numpy()
    assert LEAK not in titles(table(strong=(y + random.normal(scale=0.5, size=ROWS)).tolist()))


def test_many_different_values_do_not_look_like_a_leak() -> None:
    words = [f"w{i % 900}" for i in range(ROWS)]
    assert LEAK not in titles(table(words=words))


def test_leaks_of_numbers_and_of_many_classes_are_found() -> None:
    random = np.random.default_rng(2)
    amount = pl.Series("y", random.normal(size=ROWS))
    frame = table().drop("y").with_columns(amount, (amount * 3 + 1).alias("net"))
    assert LEAK in titles(frame)
    kinds = pl.Series("y", random.choice(["a", "b", "c"], ROWS))
    assert LEAK in titles(table().drop("y").with_columns(kinds, kinds.alias("code") + "1"))


@pytest.mark.parametrize("load", [load_breast_cancer, load_wine, load_diabetes])
def test_real_tables_raise_no_false_alarm(load: object) -> None:
    bunch = load()  # type: ignore[operator]
    frame = pl.DataFrame(bunch.data, schema=list(bunch.feature_names)).with_columns(
        pl.Series("y", bunch.target)
    )
    assert LEAK not in titles(frame)


def test_rows_in_two_parts_are_a_warning() -> None:
    frame = table()
    rows = split(frame, SplitRule(), "y")
    leaky = pl.concat([frame[rows.test], frame[rows.train].head(100)])
    found = findings_of(frame, test=leaky)
    assert [f.title for f in found] == ["Rows of test were seen before"]
    assert found[0].severity == "warning" and found[0].evidence["rows"] == 100


def test_repeated_rows_in_training_are_noted() -> None:
    frame = table()
    assert "Repeated rows" in titles(pl.concat([frame, frame.head(50)]))


def coarse(rows: int) -> pl.DataFrame:
    """Two yes-or-no columns: different cases look alike everywhere."""
    draw = np.random.default_rng(0)
    cells = {name: draw.choice(["yes", "no"], rows) for name in ("one", "other")}
    return pl.DataFrame({**cells, "y": draw.choice(["good", "bad"], rows)})


def test_cases_alike_in_few_coarse_columns_are_one_note() -> None:
    found = [f for f in findings_of(coarse(400)) if "alike" in f.title or "before" in f.title]
    assert [f.title for f in found] == ["Many rows are alike"]
    assert found[0].severity == "note" and "all 60 rows of test" in found[0].sentence


def test_a_table_exported_twice_is_no_case_of_coarse_columns() -> None:
    assert "Many rows are alike" not in titles(pl.concat([table(), table()]))


def test_few_rows_of_a_number_are_a_warning() -> None:
    frame = table().head(120).with_columns(y=pl.Series(np.arange(120) * 1.37 % 7))
    assert "Few rows" in titles(frame)
    assert "Few rows" not in titles(table(y=np.arange(ROWS) * 1.37 % 7))


def test_more_columns_than_rows_are_told() -> None:
    draw = np.random.default_rng(2)
    wide = {f"gene {place}": draw.normal(size=90) for place in range(80)}
    frame = pl.DataFrame({**wide, "y": np.arange(90) % 2})
    assert "More columns than rows" in titles(frame)
    assert "More columns than rows" not in titles(frame.select("gene 0", "gene 1", "y"))


def test_missing_and_infinite_cells_are_told() -> None:
    mostly = [1.5 * i if i % 4 == 0 else None for i in range(ROWS)]
    some = [1.5 * i if i % 4 else None for i in range(ROWS)]
    infinite = [float("inf") if i == 7 else 0.5 * (i % 77) for i in range(ROWS)]
    found = titles(table(mostly=mostly, some=some))
    assert "Mostly empty columns" in found and "Missing cells" in found
    everywhere = table(infinite=[float("inf") if i % 9 == 0 else v for i, v in enumerate(infinite)])
    assert "Infinite numbers" in titles(everywhere)


def test_cells_missing_only_in_test_are_a_warning() -> None:
    frame = table(extra=[0.5 * (i % 77) for i in range(ROWS)])
    rows = split(frame, SplitRule(), "y")
    emptied = frame[rows.test].with_columns(extra=pl.lit(None, pl.Float64))
    assert "Missing differently in test" in titles(frame, test=emptied)


def test_rare_and_uneven_classes_are_told() -> None:
    rare = table().with_columns(y=pl.Series([1] * 60 + [0] * (ROWS - 60)))
    found = {f.title: f for f in findings_of(rare)}
    assert found["Few rows of a class"].evidence["rows"] == 60
    assert "'0' is 97 of 100 rows" in found["Uneven classes"].sentence


def test_many_classes_are_not_uneven_because_one_is_rare() -> None:
    many = table().with_columns(y=pl.Series([f"kind {min(i % 21, 19)}" for i in range(ROWS)]))
    assert "Uneven classes" not in titles(many)
    mostly = table().with_columns(y=pl.Series(["a", "b", *["c"] * 28] * (ROWS // 30) + ["c"] * 20))
    assert "Uneven classes" in titles(mostly)


def test_columns_left_out_are_listed_with_their_reason() -> None:
    found = {f.title: f for f in findings_of(table(number=range(ROWS), same=["x"] * ROWS))}
    evidence = found["Columns not learned from"].evidence
    assert "identifier" in evidence["number"] and "the same" in evidence["same"]


def test_a_large_table_is_sampled_and_that_is_said() -> None:
    random = np.random.default_rng(0)
    frame = pl.DataFrame({"x": random.normal(size=150_000), "y": random.integers(2, size=150_000)})
    assert titles(frame) == ["Looked at a sample"]
