"""What good means: the metrics by name, what each needs, and which way is better."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from treadle.contracts import Task
from treadle.errors import OptionError, did_you_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

Needs = Literal["scores", "probabilities", "labels", "values", "ranks"]
Score = Callable[["Array", "Array"], float]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A measure of quality.

    name:     scikit-learn's name without `neg_`, or hit@k, recall@k, ndcg@k
    needs:    what it compares the truth with: "scores" (the positive class's probability, or all
              classes'), "probabilities" (all classes', [N, C]), "labels" (the most probable
              class), "values", or "ranks" (of the item that came next, 1 for the first)
    function: (truth [N], what it needs) → a number
    """

    name: str
    needs: Needs
    higher_is_better: bool
    tasks: tuple[Task, ...]
    function: Score

    def better(self, value: float, than: float | None) -> bool:
        """Tell whether `value` is better; any number is better than None, NaN is never better."""
        if value != value:
            return False
        return than is None or (value > than if self.higher_is_better else value < than)

    def __call__(self, truth: Array, predicted: Array) -> float:
        """Measure predictions: probabilities [N, C] for classes, values [N] for a number.

        truth: class codes int64 [N], or values float [N].
        """
        needed = self._needed(predicted)
        if self.needs == "values":  # squares of large float32 numbers are beyond float32
            truth, needed = truth.astype("float64"), needed.astype("float64")
        return float(self.function(truth, needed))

    def _needed(self, predicted: Array) -> Array:
        if self.needs == "scores" and predicted.ndim == 2 and predicted.shape[1] == 2:
            return predicted[:, 1]
        if self.needs == "labels":
            chosen: Array = predicted.argmax(axis=1)
            return chosen
        return predicted


def _sklearn(function: str, **options: Any) -> Score:
    """Return a metric of scikit-learn, imported when it is first used."""

    def score(truth: Array, predicted: Array) -> float:
        import sklearn.metrics

        return float(getattr(sklearn.metrics, function)(truth, predicted, **options))

    return score


def _log_loss(truth: Array, predicted: Array) -> float:
    """The mean of −log of what was said of the class that was true; [N, C] probabilities.

    Written out: it is measured after every round of trees, and scikit-learn's looks over its
    inputs for longer than a small round takes.
    """
    import numpy as np

    safe = np.clip(predicted.astype(np.float64), 1e-15, 1.0)
    said = safe[np.arange(len(truth)), truth] / safe.sum(axis=1)
    return float(-np.log(said).mean())


def _ranked_area(truth: Array, score: Array) -> float:
    """The area under the ROC curve of two classes: the share of pairs in the right order.

    Counted in whole numbers, pairs of one score as halves; NaN where a score is none. Source: Mann
    and Whitney, On a Test of Whether one of Two Random Variables is Stochastically Larger, 1947.
    """
    import numpy as np

    if np.isnan(score).any():
        return float("nan")
    positive = np.asarray(truth).astype(bool)
    order = np.argsort(score, kind="stable")
    ranked, found = score[order], positive[order]
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    wrong = np.diff(np.cumsum(~found)[last], prepend=0)
    right = np.diff(np.cumsum(found)[last], prepend=0)
    halves = int((right * (2 * (np.cumsum(wrong) - wrong) + wrong)).sum())
    return halves / (2 * int(right.sum()) * int(wrong.sum()))


def _one_against_rest(function: Score) -> Score:
    """The mean over the classes that are present (and not alone) of a two-class metric."""

    def score(truth: Array, predicted: Array) -> float:
        import numpy as np

        if predicted.ndim == 1:
            return function(truth, predicted) if len(np.unique(truth)) == 2 else float("nan")
        present = [c for c in range(predicted.shape[1]) if 0 < (truth == c).sum() < len(truth)]
        each = [function(truth == c, predicted[:, c]) for c in present]
        return float(np.mean(each)) if each else float("nan")

    return score


def _r2(truth: Array, predicted: Array) -> float:
    """The share of the spread that is explained; NaN for a single row, which has no spread."""
    return _sklearn("r2_score")(truth, predicted) if len(truth) > 1 else float("nan")


def _balanced_accuracy(truth: Array, predicted: Array) -> float:
    """The mean over the classes that are present of the share of each that was found."""
    import numpy as np

    right = np.bincount(truth[truth == predicted], minlength=int(truth.max()) + 1)
    rows = np.bincount(truth)
    return float(np.mean(right[rows > 0] / rows[rows > 0]))


CLASSES: tuple[Task, ...] = ("two_classes", "classes")
TWO: tuple[Task, ...] = ("two_classes",)
NUMBER: tuple[Task, ...] = ("number",)


def _metrics() -> dict[str, Metric]:
    rows: list[tuple[str, Needs, bool, tuple[Task, ...], Score]] = [
        ("roc_auc", "scores", True, CLASSES, _one_against_rest(_ranked_area)),
        (
            "average_precision",
            "scores",
            True,
            CLASSES,
            _one_against_rest(_sklearn("average_precision_score")),
        ),
        ("accuracy", "labels", True, CLASSES, _sklearn("accuracy_score")),
        ("balanced_accuracy", "labels", True, CLASSES, _balanced_accuracy),
        ("f1", "labels", True, TWO, _sklearn("f1_score", zero_division=0.0)),
        (
            "f1_macro",
            "labels",
            True,
            CLASSES,
            _sklearn("f1_score", average="macro", zero_division=0.0),
        ),
        ("precision", "labels", True, TWO, _sklearn("precision_score", zero_division=0.0)),
        ("recall", "labels", True, TWO, _sklearn("recall_score", zero_division=0.0)),
        ("matthews_corrcoef", "labels", True, CLASSES, _sklearn("matthews_corrcoef")),
        ("log_loss", "probabilities", False, CLASSES, _log_loss),
        ("brier_score", "scores", False, TWO, _sklearn("brier_score_loss")),
        ("mean_absolute_error", "values", False, NUMBER, _sklearn("mean_absolute_error")),
        ("root_mean_squared_error", "values", False, NUMBER, _sklearn("root_mean_squared_error")),
        ("mean_squared_error", "values", False, NUMBER, _sklearn("mean_squared_error")),
        ("median_absolute_error", "values", False, NUMBER, _sklearn("median_absolute_error")),
        (
            "mean_absolute_percentage_error",
            "values",
            False,
            NUMBER,
            _sklearn("mean_absolute_percentage_error"),
        ),
        ("r2", "values", True, NUMBER, _r2),
    ]
    return {
        name: Metric(name=name, needs=needs, higher_is_better=up, tasks=tasks, function=function)
        for name, needs, up, tasks, function in rows
    }


METRICS = _metrics()
DEFAULT: dict[Task, str] = {
    "two_classes": "roc_auc",
    "classes": "accuracy",
    "number": "root_mean_squared_error",
    "next_item": "ndcg@10",
    "own": "loss",
}
REPORTED: dict[Task, tuple[str, ...]] = {
    "two_classes": ("roc_auc", "average_precision", "accuracy", "log_loss"),
    "classes": ("accuracy", "balanced_accuracy", "f1_macro", "log_loss"),
    "number": ("root_mean_squared_error", "mean_absolute_error", "r2"),
    "next_item": ("hit@10", "recall@10", "ndcg@10"),
    "own": (),
}
AT_K = re.compile(r"(hit|recall|ndcg)@([1-9]\d*)")
LOSS = Metric(
    name="loss",
    needs="values",
    higher_is_better=False,
    tasks=("own",),
    function=lambda t, p: float("nan"),
)


def metric_named(name: str, task: Task) -> Metric:
    """Return the metric of that name for a task.

    Raises: OptionError when there is none of that name, or it does not fit the task.
    """
    plain = name.removeprefix("neg_")
    if task == "next_item" and (found := AT_K.fullmatch(plain)):
        return _at_k(found[1], int(found[2]))
    fitting = [metric.name for metric in METRICS.values() if task in metric.tasks]
    if task == "next_item":
        fitting = ["hit@10", "recall@10", "ndcg@10"]
    if plain in fitting:
        return METRICS[plain]
    known = plain in METRICS or AT_K.fullmatch(plain)
    found_word = "does not fit this task" if known else "is not known"
    raise OptionError(
        f"the metric '{name}' {found_word}.",
        f"{did_you_mean(plain, fitting)}Metrics that fit: {', '.join(fitting)}.",
    )


def _at_k(kind: str, k: int) -> Metric:
    """hit@k, recall@k, ndcg@k of the rank of the one item that came next; truth is unused."""

    def score(truth: Array, ranks: Array) -> float:
        import numpy as np

        inside = ranks <= k
        gains = 1.0 / np.log2(ranks + 1.0) if kind == "ndcg" else np.ones(len(ranks))
        return float(np.mean(np.where(inside, gains, 0.0)))

    return Metric(
        name=f"{kind}@{k}",
        needs="ranks",
        higher_is_better=True,
        tasks=("next_item",),
        function=score,
    )
