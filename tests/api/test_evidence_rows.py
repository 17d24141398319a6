"""Losses of single rows, constant answers and silent units, compared with what they must be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from treadle.api.evidence_rows import (
    best_constant,
    counting_fired,
    missed,
    probabilities,
    row_losses,
)


def draw(*sizes: int) -> Tensor:
    return torch.randn(*sizes, generator=torch.Generator().manual_seed(0))


def own_loss(output: Tensor, target: Tensor) -> Tensor:
    return (output - target).abs().pow(1.5).mean()


def needs_all_rows(output: Tensor, target: Tensor) -> Tensor:
    return 1 - torch.corrcoef(torch.stack([output[:, 0], target[:, 0]]))[0, 1]


CLASSES = torch.arange(60) % 3


@pytest.mark.parametrize(
    ("loss", "output", "target"),
    [
        (functional.cross_entropy, draw(60, 3), CLASSES),
        (nn.CrossEntropyLoss(label_smoothing=0.1), draw(60, 3), CLASSES),
        (functional.mse_loss, draw(60, 2), draw(60, 2) + 1),
        (nn.L1Loss(), draw(60, 1), draw(60, 1) + 1),
        (functional.binary_cross_entropy_with_logits, draw(60, 1), (draw(60, 1) > 0).float()),
        (own_loss, draw(60, 1), draw(60, 1) + 1),
    ],
    ids=["cross entropy", "smoothed", "squares", "L1", "binary", "own"],
)
def test_losses_of_rows_have_the_mean_of_all(loss: Any, output: Tensor, target: Tensor) -> None:
    found = row_losses(loss, output, target)
    assert found is not None and len(found) == 60
    assert found.mean() == pytest.approx(float(loss(output, target)), rel=1e-4)
    assert found.std() > 0


def test_a_loss_that_is_no_mean_over_rows_has_no_rows() -> None:
    assert row_losses(needs_all_rows, draw(60, 1), draw(60, 1) + draw(60, 1)) is None


def test_the_best_constant_answer_is_the_known_one() -> None:
    values = draw(200, 2) * torch.tensor([1.0, 3.0]) + 5
    mean = best_constant(functional.mse_loss, torch.zeros(200, 2), values)
    assert mean is not None and torch.allclose(mean, values.mean(0), atol=1e-3)
    shares = torch.bincount(CLASSES[:50], minlength=3) / 50
    logits = best_constant(functional.cross_entropy, draw(50, 3), CLASSES[:50])
    assert logits is not None and torch.allclose(logits.softmax(0), shares, atol=1e-3)


def test_a_loss_that_fails_has_no_best_constant() -> None:
    def refuses(output: Tensor, target: Tensor) -> Tensor:
        raise RuntimeError("no")

    assert best_constant(refuses, draw(5, 1), draw(5, 1)) is None


def test_classes_are_told_from_numbers() -> None:
    said = probabilities(draw(60, 3), CLASSES)
    assert said is not None and np.allclose(said.sum(1), 1)
    assert probabilities(draw(60, 3), draw(60, 3)) is None
    two = probabilities(draw(60, 1), (draw(60, 1) > 0).float())
    assert two is not None and two.shape == (60, 2)
    wrong = missed(draw(60, 1), (draw(60, 1) > 0).float(), two)
    assert wrong is not None and wrong.sum() == 0
    assert probabilities(draw(60, 1), draw(60, 1)) is None


class Functions(nn.Module):
    """ReLUs as a function, a method and a module, on a table and on photos."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(1, 4, 1), nn.Linear(4, 6)
        with torch.no_grad():
            self.first.bias[:3] = -100.0
            self.last.bias.copy_(torch.tensor([-1e3, -1e3, 50.0, 50.0, 50.0, 50.0]))
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.first(x)).mean((2, 3))
        return self.relu(self.last(x)).relu()


def test_silent_units_are_counted_for_each_relu_by_its_turn() -> None:
    torch.manual_seed(1)
    module = Functions()
    with torch.no_grad(), counting_fired() as fired:
        for _ in range(3):
            fired.again()
            module(draw(7, 1, 5, 5))
    assert fired.silent == {"1": (4, 3), "2": (6, 2), "3": (6, 2)}


def test_a_unit_that_fires_for_one_row_of_any_batch_is_not_silent() -> None:
    rows = torch.tensor([[-1.0, -1.0], [-1.0, 2.0], [-1.0, -1.0]])
    with counting_fired() as fired:
        for row in rows:
            fired.again()
            functional.relu(row[None])
    assert fired.silent == {"1": (2, 1)}
