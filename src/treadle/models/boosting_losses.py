"""What a round of boosting follows: the first two derivatives of a loss at the scores so far."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from treadle.contracts import Task
from treadle.errors import OptionError


class Derivatives(NamedTuple):
    """gradient, hessian float32 [N] or [N, O]; loss, weight: sums over the rows, scalars."""

    gradient: Tensor
    hessian: Tensor
    loss: Tensor
    weight: Tensor


def derivatives(task: Task, scores: Tensor, target: Tensor, weight: Tensor | None) -> Derivatives:
    """Return the derivatives of the task's loss at `scores`, float64 [N] or, for classes, [N, O].

    two_classes: log loss, gradient p − y, hessian p (1 − p), p = 1 / (1 + exp(−score))
    classes:     log loss, gradient p − y, hessian O / (O − 1) · p (1 − p), p = softmax(scores)
    number:      squared error; gradient score − y, hessian 1
    Source: Friedman, Greedy function approximation, 2001, algorithms 5 and 6.
    """
    if task == "two_classes":
        parts = _two_classes(scores, target)
    elif task == "classes":
        parts = _classes(scores, target)
    elif task == "number":
        difference = scores - target
        parts = difference, torch.ones_like(scores), difference.square()
    else:
        raise OptionError(f"Trees cannot be fitted to the task {task}.", NEURAL_INSTEAD)
    gradient, hessian, loss = parts
    if weight is None:
        total = torch.tensor(float(len(target)), dtype=torch.float64)
        return Derivatives(gradient.float(), hessian.float(), loss.sum(), total)
    weight = weight.double()
    by_row = weight if gradient.ndim == 1 else weight[:, None]
    return Derivatives(
        (gradient * by_row).float(),
        (hessian * by_row).float(),
        (loss * weight).sum(),
        weight.sum(),
    )


def base_scores(task: Task, target: Tensor, weight: Tensor | None, num_outputs: int) -> Tensor:
    """Return the best constant scores, float64 [O]: log odds, log shares or the mean."""
    weights = torch.ones(len(target), dtype=torch.float64) if weight is None else weight.double()
    if task == "classes":
        sums = torch.zeros(num_outputs, dtype=torch.float64).index_add_(0, target, weights)
        return (sums / sums.sum()).clamp_min(SMALLEST_SHARE).log()
    mean = (target.double() * weights).sum() / weights.sum()
    if task == "two_classes":
        mean = torch.logit(mean, eps=SMALLEST_SHARE)
    return mean.reshape(1)


def probabilities(task: Task, scores: Tensor) -> Tensor:
    """Turn scores, float64 [N, O], into float32: [N, 2] or [N, O] for classes, [N] for a number."""
    if task == "two_classes":
        return torch.cat([torch.sigmoid(-scores), torch.sigmoid(scores)], 1).float()
    if task == "classes":
        return torch.softmax(scores, 1).float()
    return scores[:, 0].float()


SMALLEST_SHARE = 1e-15
NEURAL_INSTEAD = "use --model neural"


def _two_classes(scores: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    probability, target = torch.sigmoid(scores), target.double()
    loss = functional.binary_cross_entropy_with_logits(scores, target, reduction="none")
    return probability - target, probability * (1 - probability), loss


def _classes(scores: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    log_probability = torch.log_softmax(scores, 1)
    loss = functional.nll_loss(log_probability, target, reduction="none")
    probability = log_probability.exp_()
    num_classes = scores.shape[1]
    hessian = num_classes / (num_classes - 1) * probability * (1 - probability)
    gradient = probability.index_put_(
        (torch.arange(len(target)), target),
        torch.tensor(-1.0, dtype=torch.float64),
        accumulate=True,
    )
    return gradient, hessian, loss
