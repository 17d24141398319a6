"""Batches of every shape, as leaves and back."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
import torch

from treadle.loop.leaves import Matcher, leaves_of, skeleton_of


class Pair(NamedTuple):
    x: Any
    y: Any


def x(rows: int = 4) -> torch.Tensor:
    return torch.arange(rows * 2.0).reshape(rows, 2)


BATCHES = {
    "tensor": x(),
    "dict": {"x": x(), "y": x()},
    "tuple": (x(), x(3)),
    "list": [x(), x()],
    "named tuple": Pair(x(), {"inner": x()}),
    "nested": {"x": (x(), [x(), None]), "scale": 2.0, "name": "a"},
}


@pytest.mark.parametrize("batch", BATCHES.values(), ids=BATCHES.keys())
def test_a_batch_is_put_together_again_from_its_leaves(batch: Any) -> None:
    found = Matcher(skeleton_of(batch))(batch)
    assert found is not None
    again = skeleton_of(batch).filled([leaf + 1 for leaf in found])
    assert type(again) is type(batch)
    assert skeleton_of(again) == skeleton_of(batch)
    assert torch.equal(leaves_of(again)[0], found[0] + 1)


@pytest.mark.parametrize(
    ("batch", "other"),
    [
        ({"x": x(), "y": x()}, {"x": x(), "y": x(3)}),
        ({"x": x(), "y": x()}, {"y": x(), "x": x()}),
        ({"x": x()}, {"x": x(), "y": x()}),
        ({"x": x()}, {"x": x().double()}),
        ({"x": x(2)}, {"x": x(2).t()}),
        ({"x": x()}, (x(),)),
        ((x(), x()), [x(), x()]),
        ({"x": (x(),), "scale": 2.0}, {"x": (x(),), "scale": 3.0}),
        ({"x": x()}, {"x": "text"}),
    ],
)
def test_another_shape_does_not_match(batch: Any, other: Any) -> None:
    assert Matcher(skeleton_of(batch))(other) is None


def test_a_batch_that_holds_other_things_has_no_skeleton() -> None:
    with pytest.raises(TypeError, match="holds a set"):
        skeleton_of({"x": {1, 2}})
