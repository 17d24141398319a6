"""Is what is chosen for costs close to the best there is, do money's intervals hold, are
probabilities right?

    python benchmarks/worth/measure.py --data DATA --scratch /tmp/worth

DATA holds adult/, flights/ and ieee-cis/; tasks whose file is not there are left out and named. For
each task and model (see tasks.py) all is chosen on validation and looked at on test:

- threshold: what the test rows cost, over what they cost under the best threshold in hindsight.
  Bars: 1.03 in the median, 1.10 at worst. Beside it: break-even on probabilities as they are, and
  the threshold that was cheapest on validation.
  "Luck" is the same ratio, on average, for a model whose probabilities are right, at break-even:
  hindsight knows which test rows happened, so even a perfect choice costs more than 1.
- calibration error on test, before and after. Bars: after ≤ before on every task, ≤ .02 in the
  median.
- intervals: draws of 1,500 and 6,000 test rows; in how many the interval holds the cost, and what
  is saved against doing nothing and against flagging everything, of all test rows. Bar: 90–98 %.
"""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tasks import GENERATED, REAL, Told, told, usual_shares

from treadle.costs import parse_costs
from treadle.decision import Outcomes, TwoClassDecision
from treadle.study.calibration import calibrate, calibration_error
from treadle.study.folds import folds_of
from treadle.study.money_interval import mean_interval
from treadle.study.threshold import best_margin, choose_threshold, saved_by

Array = NDArray[Any]
BY_TIME = ("flights", "fraud")
SIZES = (1_500, 6_000)


def main() -> None:
    warnings.filterwarnings("ignore", message=".*feature names.*")
    options = _options()
    rows = []
    for model in ("early", "long"):
        for name in [*GENERATED, *REAL]:
            if name in REAL and not (options.data / REAL[name][0]).exists():
                print(f"left out, as its file is not there: {name}")
                continue
            usual = usual_shares(name, options.data) if name in BY_TIME else None
            row = measure(told(name, model, options.data, options.scratch), usual, options.draws)
            rows.append(row)
            print(_line(row), flush=True)
    _print_bars(rows)
    (options.scratch / "results.json").write_text(json.dumps(rows, indent=1))


def measure(task: Told, usual: Array | None, draws: int) -> dict[str, Any]:
    """Return the figures of one task. usual: the shares of classes in training."""
    by_time = task.name in BY_TIME
    truth, both = task.validation_truth, _both(task.validation)
    folds = folds_of(truth, moments=np.arange(len(truth)) if by_time else None)
    found = calibrate(both, truth, folds, by_time=by_time, usual=usual)
    costs = parse_costs(task.costs)
    seen = _outcomes(task, task.validation_amounts, len(truth))
    chosen = choose_threshold(costs, seen, found.crossed[:, 1], truth, folds, by_time=by_time)
    later = found.calibrator(_both(task.test))
    outcomes = _outcomes(task, task.test_amounts, len(later))
    best = least_cost(outcomes, later[:, 1], task.test_truth)

    def times_best(decision: TwoClassDecision, probability: Array) -> float:
        paid = outcomes.paid(task.test_truth, decision.flags(probability, outcomes))
        return float(paid.mean() / best)

    plain = TwoClassDecision(costs=costs)
    own = best_margin(seen.margin(found.crossed[:, 1]), saved_by(seen, truth))
    flagged = chosen.decision.flags(later[:, 1], outcomes)
    return {
        "task": task.name,
        "model": task.model,
        "map": found.calibrator.method,
        "positives": int(truth.sum() + task.test_truth.sum()),
        "chosen": times_best(chosen.decision, later[:, 1]),
        "as_is": times_best(plain, task.test),
        "cheapest": times_best(plain.model_copy(update={"margin": own}), later[:, 1]),
        "luck": luck(outcomes, later[:, 1]),
        "before": calibration_error(_both(task.test), task.test_truth),
        "after": calibration_error(later, task.test_truth),
        "held": held(outcomes, task.test_truth, flagged, draws),
    }


def least_cost(outcomes: Outcomes, probability: Array, truth: Array) -> float:
    """Return the cost a case under the best threshold there is, known in hindsight."""
    margins = outcomes.margin(probability)
    order = np.argsort(-margins, kind="stable")
    ends = np.append(True, np.append(np.diff(margins[order]) != 0, True))
    saved = np.append(0.0, np.cumsum(saved_by(outcomes, truth)[order]))[ends]
    none = outcomes.paid(truth, np.zeros(len(truth), bool)).mean()
    return float(none - saved.max() / len(truth))


def luck(outcomes: Outcomes, probability: Array, draws: int = 40) -> float:
    """Return the cost at break-even over the least in hindsight, were these probabilities right."""
    generator, flagged = np.random.default_rng(0), outcomes.margin(probability) > 0
    ratios = []
    for _ in range(draws):
        truth = (generator.random(len(probability)) < probability).astype(np.int64)
        paid = outcomes.paid(truth, flagged).mean()
        ratios.append(paid / least_cost(outcomes, probability, truth))
    return float(np.mean(ratios))


def held(outcomes: Outcomes, truth: Array, flagged: Array, draws: int) -> dict[str, float]:
    """Return in which share of draws each interval holds the mean of all rows."""
    paid = outcomes.paid(truth, flagged)
    none, every = (outcomes.paid(truth, np.full(len(truth), all_)) for all_ in (False, True))
    dear = float(outcomes.missed[truth == 1].mean())
    generator, found = np.random.default_rng(0), {}
    for size in SIZES:
        inside = np.zeros(3)
        for _ in range(draws):
            rows = generator.integers(0, len(paid), size)
            inside += [
                low <= values.mean() <= high
                for values, more in (
                    (paid, {"one_more": dear}),
                    (none - paid, {"one_less": dear}),
                    (every - paid, {"one_less": dear}),
                )
                for low, high in [mean_interval(values[rows], **more)]
            ]
        for name, count in zip(("cost", "against nothing", "against all"), inside, strict=True):
            found[f"{name}, {size} rows"] = float(count / draws)
    return found


def _both(probability: Array) -> Array:
    return np.stack([1 - probability, probability], axis=1)


def _outcomes(task: Told, amounts: Array | None, rows: int) -> Outcomes:
    costs = parse_costs(task.costs)
    columns = {} if amounts is None else {costs.columns[0]: amounts}
    return Outcomes.of(costs, columns, rows)


def _line(row: dict[str, Any]) -> str:
    held_in = row["held"].values()
    return (
        f"{row['model']:5} {row['task']:16} {row['map']:11} "
        + "".join(f"{name} {row[name]:.3f}  " for name in ("chosen", "as_is", "cheapest", "luck"))
        + f"off {row['before']:.4f} → {row['after']:.4f}  held {min(held_in):.3f}–"
        f"{max(held_in):.3f}"
    )


def _print_bars(rows: list[dict[str, Any]]) -> None:
    for name in ("chosen", "as_is", "cheapest", "luck"):
        values = [row[name] for row in rows]
        print(f"{name:9} times the best: median {np.median(values):.3f}, worst {max(values):.3f}")
    for model in ("early", "long"):
        some = [row for row in rows if row["model"] == model]
        worse = sum(row["after"] > row["before"] for row in some)
        medians = [float(np.median([row[key] for row in some])) for key in ("before", "after")]
        print(
            f"{model}: calibration error {medians[0]:.4f} → {medians[1]:.4f} in the median; "
            f"worse on {worse} of {len(some)}"
        )
    each = np.array([list(row["held"].values()) for row in rows])
    inside = ((each >= 0.9) & (each <= 0.98)).mean()
    print(
        f"intervals hold {each.mean():.3f} on average, {each.min():.3f} to {each.max():.3f}; "
        f"{inside:.0%} of {each.size} within 90–98 %"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--scratch", type=Path, required=True)
    parser.add_argument("--draws", type=int, default=400)
    return parser.parse_args()


if __name__ == "__main__":
    main()
