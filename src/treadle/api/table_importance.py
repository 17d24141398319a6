"""What a table's model goes by, measured on validation rows at the end of a fit, and in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from treadle.api.bootstrap import drawn_values
from treadle.api.reason_background import keep_facts
from treadle.contracts import Json
from treadle.data.finding import quoted, with_and
from treadle.folder import RunFolder
from treadle.goal import Metric, metric_named
from treadle.serve.background import Background, places_of
from treadle.study.importance import Importance, importances, rows_for

if TYPE_CHECKING:
    from treadle.api.table_data import TableData
    from treadle.loop.journal import Journal

Array: TypeAlias = NDArray[Any]

DRAWS = 200
FEWEST_ROWS = 30
INSTEAD = {"two_classes": "roc_auc", "classes": "log_loss"}


def goes_by(
    folder: RunFolder,
    data: TableData,
    kept: Background,
    metric: Metric,
    journal: Journal,
    *,
    seed: int = 0,
) -> Json:
    """Return what findings.json says of it, and journal the sentence; nothing of too few rows.

    What was shown to help is kept for reasons, too.
    metric: one of the classes that are said is measured on chances: a shuffled column moves those
    """
    from treadle.serve.predictor import read_facts
    from treadle.serve.table_predictor import TablePredictor

    task = data.target.task
    metric = metric_named(INSTEAD[task], task) if metric.needs == "labels" else metric
    rows = data.parts["validation"]
    count = rows_for(len(rows["target"]), len(kept.groups))
    if count < FEWEST_ROWS:
        return {}
    some = np.sort(np.random.default_rng(0).permutation(len(rows["target"]))[:count])
    truth, sign = data.truth("validation")[some], 1.0 if metric.higher_is_better else -1.0
    model = folder.path / "model"
    predictor = TablePredictor(model, read_facts(model))

    def predict(arrays: dict[str, Array]) -> Array:
        found = predictor.chances(arrays)
        return found[:, 0] if task == "number" else found

    def measure(predicted: Array) -> tuple[float, Array]:
        drawn = drawn_values([metric], truth, predicted, draws=DRAWS, seed=seed)[metric.name]
        return sign * metric(truth, predicted), sign * drawn

    arrays = {name: rows[name][some] for name in ("numbers", "categories")}
    places = places_of(kept.groups, predictor.encoder)
    found = importances(predict, measure, arrays, places, seed)
    helping = tuple(name for one in found if one.surely_matters for name in kept.groups[one.group])
    keep_facts(RunFolder(model), kept.model_copy(update={"helping": helping}))
    sentences = in_words(found, kept)
    entries = [_entry(one, kept) for one in found]
    journal.say("importance", sentences[0], metric=metric.name, strongest=entries[:3])
    return {
        "importance": entries,
        "importance_told": {"metric": metric.name, "rows": count, "sentences": sentences},
    }


def in_words(found: list[Importance], kept: Background) -> list[str]:
    """Return what is said of the columns that matter, and of those that do not."""
    names = {one.group: kept.groups[one.group] for one in found}
    matter = [one for one in found if one.matters]
    idle = [name for one in found if not one.matters for name in names[one.group]]
    if not matter:
        return [
            "no column matters for sure: with the cells of any one shuffled, the model is as good, "
            "as far as so few rows can tell."
        ]
    first, *others = [_together(names[one.group]) for one in matter[:4]]
    then = f", then by {with_and(others)}" if others else ""
    told = [f"the model goes by {first} most{then}."]
    if idle:
        verb, it = ("does", "it") if len(idle) == 1 else ("do", "any of them")
        told.append(
            f"{quoted(idle)} {verb} not matter, as far as can be told: with the cells of {it} "
            "shuffled, the answers are as good."
        )
    if any(len(group) > 1 for group in names.values()):
        told.append("columns that tell nearly the same are shuffled together.")
    return told


def _together(group: tuple[str, ...]) -> str:
    if len(group) == 1:
        return f"'{group[0]}'"
    more = f" and {len(group) - 2} more" if len(group) > 2 else ""
    return f"'{group[0]}' (with '{group[1]}'{more})"


def _entry(one: Importance, kept: Background) -> Json:
    columns = list(kept.groups[one.group])
    name = columns[0] if len(columns) == 1 else f"{columns[0]} and {len(columns) - 1} like it"
    return {
        "feature": name,
        "columns": columns,
        "drop": one.drop,
        "low": one.low,
        "high": one.high,
        "matters": one.matters,
    }
