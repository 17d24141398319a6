"""What is measured of networks and trees: losses, constant answers, leaks, too few rounds."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import treadle
from tests.small import customers, purchases
from treadle.api.evidence_parts import PartSight, leak_among, losses, missed
from treadle.data.health import LEAK

TRUTH = np.array([0, 1, 1, 0])
SAID = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [1.0, 0.0]])


def test_losses_are_those_people_know() -> None:
    assert losses(SAID, TRUTH) == pytest.approx(-np.log([0.9, 0.8, 0.4, 1.0]))
    assert missed(SAID, TRUTH).tolist() == [0, 0, 1, 0]
    assert losses(np.array([1.0, 3.0]), np.array([2.0, 3.0])).tolist() == [1.0, 0.0]
    assert np.isfinite(losses(np.array([[0.0, 1.0]]), np.array([0]))).all()


def a_sight(truth: Any, said: Any) -> PartSight:
    part = {"numbers": torch.zeros(len(truth), 2)}

    def predict(model: Any, rows: dict[str, torch.Tensor]) -> Any:
        return np.resize(said, (len(rows["numbers"]), *np.shape(said)[1:]))

    return PartSight(predict, (part, part), (truth, truth))


def test_the_constant_answer_is_how_frequent_each_class_is_or_the_mean() -> None:
    classes = np.array([0, 0, 0, 1])
    loss, off = a_sight(classes, SAID).constant(100)
    assert loss is not None and loss.mean() == pytest.approx(
        -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    )
    assert off is not None and off.tolist() == [0, 0, 0, 1]
    numbers = np.array([1.0, 3.0])
    loss, _ = a_sight(numbers, numbers).constant(100)
    assert loss is not None and loss.tolist() == [1.0, 1.0]


def test_at_most_so_many_rows_are_looked_at() -> None:
    sight = a_sight(np.tile(TRUTH, 1_000), SAID)
    found = sight.look(500)
    assert found.held_out is not None and len(found.held_out) == 500
    assert sight.held_out_rows == 4_000


def test_a_leak_is_taken_over_from_the_look_at_the_data() -> None:
    evidence = {"column": "paid", "roc_auc": 0.999, "copy": False}
    other = SimpleNamespace(title="Missing cells", evidence={})
    found = leak_among([other, SimpleNamespace(title=LEAK, evidence=evidence)])
    assert found is not None and found.name == "the column 'paid'" and found.right == 0.999
    assert found.next is None  # nobody measured it
    assert leak_among([other]) is None


def test_trees_of_a_tiny_rate_are_said_to_creep(tmp_path: Path) -> None:
    run = treadle.fit(
        customers(600),
        target="left",
        model="trees",
        lr=0.002,
        until="40 epochs",
        out=tmp_path / "r",
    )
    assert [verdict["name"] for verdict in run.verdicts] == ["rate_too_low"]


def test_a_log_of_events_has_verdicts(tmp_path: Path) -> None:
    run = treadle.fit(purchases(), until="2 epochs", out=tmp_path / "run")
    assert isinstance(run.verdicts, list)
