"""The options of a fit: taken in the forms people give them, refused all at once."""

from __future__ import annotations

from pathlib import Path

import pytest

import treadle
from treadle.api.options import FitOptions
from treadle.errors import OptionError


def refused(**values: object) -> OptionError:
    with pytest.raises(OptionError) as caught:
        FitOptions.of(values)
    return caught.value


def test_one_path_stands_for_a_list_of_one_and_a_path_for_its_text() -> None:
    options = FitOptions.of({"data": Path("a.csv"), "test": "b.csv", "out": Path("run")})
    assert options.data == ("a.csv",) and options.test == ("b.csv",) and options.out == "run"


def test_a_stop_condition_is_kept_as_its_words() -> None:
    options = FitOptions.of({"until": treadle.epochs(3) | treadle.reaches("accuracy", 0.9)})
    assert options.until == "3 epochs or accuracy >= 0.9"
    assert options.condition is not None and options.condition.text == options.until


def test_everyday_names_of_a_kind_are_taken() -> None:
    assert FitOptions.of({"kind": "tables"}).kind == "table"


def test_all_problems_are_said_at_once() -> None:
    error = refused(model="tres", lr=-1, until="5 bananas", schedule="cosin", metric="f2", sed=3)
    assert error.message.startswith("6 problems:") and error.exit_code == 2
    for words in ("did you mean 'trees'?", "above 0", "bananas", "'cosine'", "'f2'", "'seed'"):
        assert words in error.message


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"time": "t", "group": "g"}, "one rule"),
        ({"label_delay": "7 days"}, "--time"),
        ({"model": "trees", "batch_size": 4}, "--model neural"),
        ({"target": "y", "ignore": ("y",)}, "both name 'y'"),
        ({"kind": "tabel"}, "did you mean 'table'?"),
        ({"unfreeze": 9}, "at most 7"),
    ],
)
def test_contradictions_are_refused_with_what_to_do(given: dict[str, object], words: str) -> None:
    assert words in str(refused(**given))


def test_what_is_recorded_does_not_hold_where_things_lie() -> None:
    recorded = FitOptions.of({"data": "a.csv", "out": "run", "cache": "c"}).recorded()
    assert not {"out", "cache", "overwrite"} & set(recorded) and recorded["data"] == ["a.csv"]
