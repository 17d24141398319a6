"""Fits each map of `Calibrator` to what a model said and what happened."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from treadle.calibrator import LEAST_SLOPE, Calibrator, Method
from treadle.decision import SMALLEST, log_odds

Array: TypeAlias = NDArray[Any]
RIDGE = 1e-3
LEAST_COEFFICIENT = 0.02
NEWTON_STEPS = 50
SOFTEST = 20.0
MOST_ROWS = 100_000


def fit_map(method: Method, probabilities: Array, truth: Array) -> Calibrator:
    """Return the map of that kind which fits best. probabilities: [N, C]; truth: codes [N].

    Of very many rows some, evenly spread, are enough for the few numbers of a map.
    """
    if len(truth) > MOST_ROWS:
        some = np.linspace(0, len(truth) - 1, MOST_ROWS).astype(np.int64)
        probabilities, truth = probabilities[some], truth[some]
    if method == "temperature":
        return _temperature(probabilities, truth)
    if method == "shifted":
        return _shifted(probabilities, truth)
    if method == "as_is":
        return Calibrator()
    positive = probabilities[:, 1].astype(np.float64)
    makers = {"platt": _platt, "beta": _beta, "isotonic": _isotonic}
    return makers[method](positive, truth.astype(np.float64))


def _temperature(probabilities: Array, truth: Array) -> Calibrator:
    from scipy.optimize import minimize_scalar

    logs = np.log(np.clip(probabilities.astype(np.float64), SMALLEST, 1.0))
    said = logs[np.arange(len(truth)), truth.astype(np.int64)]

    def loss(log_temperature: float) -> float:
        scaled = logs * np.exp(-log_temperature)
        most = scaled.max(axis=1)
        whole = most + np.log(np.exp(scaled - most[:, None]).sum(axis=1))
        return float((whole - said * np.exp(-log_temperature)).mean())

    bound = float(np.log(SOFTEST))
    found = minimize_scalar(loss, bounds=(-bound, bound), method="bounded")
    return Calibrator(method="temperature", temperature=float(np.exp(found.x)))


def _shifted(probabilities: Array, truth: Array) -> Calibrator:
    from scipy.optimize import minimize

    logs = np.log(np.clip(probabilities.astype(np.float64), SMALLEST, 1.0))
    rows, codes = np.arange(len(truth)), truth.astype(np.int64)
    counts = np.bincount(codes, minlength=logs.shape[1]) / len(truth)

    def loss(weights: Array) -> tuple[float, Array]:
        """The mean log loss and its slope. weights: one over the temperature, then the shifts."""
        scaled = weights[0] * logs + weights[1:]
        scaled -= scaled.max(axis=1, keepdims=True)
        chance = np.exp(scaled)
        whole = chance.sum(axis=1)
        chance /= whole[:, None]
        value = (np.log(whole) - scaled[rows, codes]).mean() + RIDGE * (weights[1:] ** 2).sum()
        slope = ((chance * logs).sum(axis=1) - logs[rows, codes]).mean()
        return float(value), np.append(slope, chance.mean(0) - counts + 2 * RIDGE * weights[1:])

    bounds = [(1 / SOFTEST, SOFTEST), *[(-SOFTEST, SOFTEST)] * logs.shape[1]]
    start = np.append(1.0, np.zeros(logs.shape[1]))
    found = minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B").x
    return Calibrator(
        method="shifted", temperature=float(1 / found[0]), shifts=tuple(found[1:].tolist())
    )


def _platt(probability: Array, truth: Array) -> Calibrator:
    """Source: Platt, Probabilistic Outputs for Support Vector Machines, 1999."""
    slope, shift = _logistic(np.stack([log_odds(probability)], axis=1), truth)
    return Calibrator(method="platt", slope=max(slope, LEAST_COEFFICIENT), shift=shift)


def _beta(probability: Array, truth: Array) -> Calibrator:
    """Source: Kull, Silva Filho and Flach, Beta calibration, AISTATS 2017, algorithm 1."""
    safe = np.clip(probability, SMALLEST, 1 - SMALLEST)
    parts = np.stack([np.log(safe), -np.log1p(-safe)], axis=1)
    slope, other, shift = _logistic(parts, truth)
    if slope < LEAST_COEFFICIENT or other < LEAST_COEFFICIENT:  # one of them alone, then
        kept = int(other > slope)
        one, shift = _logistic(parts[:, [kept]], truth)
        slope, other = (LEAST_COEFFICIENT, one) if kept else (one, LEAST_COEFFICIENT)
    slope, other = max(slope, LEAST_COEFFICIENT), max(other, LEAST_COEFFICIENT)
    return Calibrator(method="beta", slope=slope, other_slope=other, shift=shift)


def _logistic(inputs: Array, truth: Array) -> list[float]:
    """Return the coefficients of a logistic regression, the constant last, by Newton's steps."""
    columns = np.column_stack([inputs, np.ones(len(inputs))])
    weights = np.zeros(columns.shape[1])
    weights[:-1] = 1.0 / inputs.shape[1]
    penalty = RIDGE * np.ones(len(weights))
    penalty[-1] = 0.0
    start = weights.copy()
    for _ in range(NEWTON_STEPS):
        chance = 1 / (1 + np.exp(-np.clip(columns @ weights, -500, 500)))
        slope = columns.T @ (chance - truth) + penalty * (weights - start)
        curve = (columns * (chance * (1 - chance))[:, None]).T @ columns + np.diag(penalty + 1e-9)
        step = np.linalg.solve(curve, slope)
        weights = weights - np.clip(step, -2.0, 2.0)
        if np.abs(step).max() < 1e-8:
            break
    return [float(value) for value in weights]


def _isotonic(probability: Array, truth: Array) -> Calibrator:
    """Pool adjacent violators, then lines between the middles of the pools: strictly increasing.

    Each pool's share is drawn in by half a case, so that none is 0 or 1.
    Source: Oron and Flournoy, Centered Isotonic Regression, 2017.
    """
    from sklearn.isotonic import isotonic_regression

    odds = log_odds(probability)
    order = np.argsort(odds, kind="stable")
    # rows that the model says the same of are one place
    places, starts = np.unique(odds[order], return_index=True)
    counts = np.diff(np.append(starts, len(odds))).astype(np.float64)
    shares = np.add.reduceat(truth[order], starts) / counts
    fitted = isotonic_regression(shares, sample_weight=counts)
    firsts = np.flatnonzero(np.append(True, np.diff(fitted) > 1e-12))
    size = np.add.reduceat(counts, firsts)
    middles = np.add.reduceat(places * counts, firsts) / size
    positives = np.add.reduceat(shares * counts, firsts)
    after = log_odds((positives + 0.5) / (size + 1.0))
    return _knots(middles, after, size)


def _knots(before: Array, after: Array, size: Array) -> Calibrator:
    """Pool what drawing in has put out of order, and make the rest ascend."""
    from sklearn.isotonic import isotonic_regression

    after = isotonic_regression(after, sample_weight=size)
    after = after + LEAST_SLOPE * (before - before[0])
    if len(before) == 1:  # one share for all: a map that hardly moves
        before, after = before[[0, 0]] + [-1.0, 1.0], after[[0, 0]] + [-LEAST_SLOPE, LEAST_SLOPE]
    return Calibrator(
        method="isotonic",
        before=tuple(float(value) for value in before),
        after=tuple(float(value) for value in after),
    )
