"""The errors a user can meet: what was found, what was expected, what to do."""

from __future__ import annotations

import pytest

from treadle import errors
from treadle.errors import (
    BrokenCheckpointError,
    DataError,
    DivergedError,
    Interrupted,
    MissingExtraError,
    OptionError,
    RunError,
    SaveError,
    TreadleError,
    UserError,
    did_you_mean,
)


def test_a_hint_stands_behind_the_message() -> None:
    assert str(DataError("no rows.", "Add some.")) == "no rows.\nhint: Add some."
    assert str(DataError("no rows.")) == "no rows."


@pytest.mark.parametrize("kind", [DataError, OptionError, RunError, MissingExtraError])
def test_a_users_mistake_exits_with_2(kind: type[TreadleError]) -> None:
    assert issubclass(kind, UserError) and kind.exit_code == 2


@pytest.mark.parametrize("kind", [BrokenCheckpointError, SaveError, DivergedError])
def test_what_is_no_mistake_of_the_users_exits_with_1(kind: type[TreadleError]) -> None:
    assert not issubclass(kind, UserError) and kind.exit_code == 1


def test_an_interruption_exits_with_130() -> None:
    assert Interrupted.exit_code == 130 and not issubclass(Interrupted, UserError)


def test_several_problems_are_told_together_each_with_its_hint() -> None:
    error = OptionError.of([("a is 0.", "Use 1."), ("b is 2.", "")])
    assert type(error) is OptionError
    assert str(error) == "2 problems:\n- a is 0.\n  hint: Use 1.\n- b is 2."


def test_one_problem_is_told_plainly() -> None:
    error = DataError.of([("a is 0.", "Use 1.")])
    assert (error.message, error.hint) == ("a is 0.", "Use 1.")


def test_an_absent_package_is_told_with_what_installs_it() -> None:
    error = MissingExtraError("pillow", "vision", "Reading photos")
    assert str(error) == (
        "Reading photos needs the package pillow, which is not installed.\n"
        'hint: pip install "treadle[vision]"'
    )


@pytest.mark.parametrize(
    ("word", "hint"),
    [("acuracy", "did you mean 'accuracy'? "), ("zzz", ""), ("", "")],
)
def test_the_nearest_word_is_offered_and_only_a_near_one(word: str, hint: str) -> None:
    assert did_you_mean(word, ["accuracy", "loss"]) == hint


def test_every_error_is_drawn_in_the_tree_at_the_top() -> None:
    found = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    kinds = [kind.__name__ for kind in found if issubclass(kind, TreadleError)]
    assert errors.__doc__ is not None and len(kinds) > 8
    assert [name for name in kinds if name not in errors.__doc__] == []
