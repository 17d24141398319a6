"""The end of a recommender's fit: its weights among the simple ways, one test, what is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treadle.api.event_data import EventData
from treadle.api.options import FitOptions
from treadle.api.table_members import summary
from treadle.api.table_result import write_report
from treadle.api.training import Trained
from treadle.contracts import Json
from treadle.folder import RunFolder
from treadle.goal import REPORTED, Metric
from treadle.loop.journal import Journal
from treadle.models.baseline_choice import BASELINES, Choice, choose
from treadle.models.ranking import Cases, Scorer, paired_interval, ranking_metrics
from treadle.models.recommender_blend import RecommenderBlend

if TYPE_CHECKING:
    from torch import Tensor

    from treadle.data.events import EncodedLog
    from treadle.models.recommender import Recommender

NAMES = ("decayed transitions", "EASE", "recent popularity")


def finish(
    folder: RunFolder,
    data: EventData,
    options: FitOptions,
    metric: Metric,
    network: Recommender,
    trained: Trained,
    journal: Journal,
) -> None:
    """Weigh the network with the simple ways on validation, test once, and write the run's end."""
    network.cpu().eval()
    choices = choose_baselines(data, options.seed)
    blend = RecommenderBlend(network, *tables_for(data.train, data.num_items, choices))
    finding = blend.fit_weights(data.validation, seed=options.seed)
    journal.say(
        "blend",
        "the sequence model and the simple ways were weighed together on validation: "
        + ", ".join(f"{name} {weight:.2f}" for name, weight in finding.weights.items())
        + ".",
        weights=finding.weights,
        cases=finding.cases,
    )
    k = int(metric.name.split("@")[1])
    validated = _means(ranking_metrics(blend, data.validation, k=k, seed=options.seed))
    tables = tables_for(data.known, data.num_items, choices)
    served = blend.refitted(*tables)
    journal.say("test", "the time after the cut was scored once, now that all is decided.")
    rivals = dict(zip(NAMES, tables, strict=True))
    ours = measure(served, data.test, k, options.seed)
    theirs = {name: measure(scorer, data.test, k, options.seed) for name, scorer in rivals.items()}
    write_model(folder, data, network, served, choices)
    best = max(theirs, key=lambda name: float(theirs[name][metric.name].mean()))
    found = {name: _with_interval(values, options.seed) for name, values in ours.items()}
    baselines = [
        {
            "name": name,
            "metrics": _means(values),
            "difference": _with_interval(ours[metric.name] - values[metric.name], options.seed),
        }
        for name, values in theirs.items()
    ]
    _say_comparison(journal, metric, baselines)
    folder.write_json("findings.json", _findings(data, finding.weights, baselines))
    folder.write_json(
        "result.json",
        {
            "run": str(folder.path),
            "kind": "events",
            "task": "next_item",
            "rows": {
                "train": len(data.train.items),
                "validation": len(data.validation.start),
                "test": len(data.test.start),
            },
            "metric": {
                "name": metric.name,
                "validation": validated[metric.name],
                **found[metric.name],
            },
            "metrics": found,
            "baseline": {"name": best, "test": float(theirs[best][metric.name].mean())},
            "baselines": baselines,
            **summary(trained),
            "engine": "eager",
            "blend": finding.weights,
            "advice": _advice(baselines),
            "test_scorings": 1,
        },
    )
    write_report(folder)


def choose_baselines(data: EventData, seed: int) -> dict[str, Choice]:
    """Return each simple way with the settings that rank validation best."""
    log = data.train
    return {
        name: choose(
            name, log.items, log.times, log.users, data.num_items, data.validation, seed=seed
        )
        for name in NAMES
    }


def tables_for(log: EncodedLog, num_items: int, choices: dict[str, Choice]) -> list[Any]:
    """Return the simple ways fitted on a log, in the order in which a blend takes them."""
    return [
        BASELINES[name](log.items, log.times, log.users, num_items, **choices[name].settings)
        for name in NAMES
    ]


def measure(scorer: Scorer, cases: Cases, k: int, seed: int) -> dict[str, Tensor]:
    """Return the metrics of every case, at k and at 10."""
    found = ranking_metrics(scorer, cases, k=k, seed=seed)
    if k != 10:
        found |= ranking_metrics(scorer, cases, k=10, seed=seed)
    first = [name for name in found if name not in REPORTED["next_item"]]
    return {name: found[name] for name in [*first, *REPORTED["next_item"]]}


def write_model(
    folder: RunFolder,
    data: EventData,
    network: Recommender,
    served: RecommenderBlend,
    choices: dict[str, Choice],
) -> None:
    """Write model/: the blend as it serves, and the network alone to start later runs from."""
    from safetensors.torch import save_file

    place = RunFolder.create(folder.path / "model")
    for name, module in (("blend", served), ("network", network)):
        tensors = {key: t.detach().clone().contiguous() for key, t in module.state_dict().items()}
        save_file(tensors, place.path / f"{name}.safetensors")
    place.write_json(
        "model.json",
        {
            "format": 1,
            "kind": "events",
            "network": network.config.model_dump(mode="json"),
            "transitions": choices["decayed transitions"].settings,
            "encoder": data.encoder.model_dump(mode="json"),
        },
    )


def _means(values: dict[str, Tensor]) -> dict[str, float]:
    return {name: float(value.mean()) for name, value in values.items()}


def _with_interval(values: Tensor, seed: int) -> Json:
    mean, low, high = paired_interval(values, seed=seed)
    return {"test": mean, "low": low, "high": high}


def _say_comparison(journal: Journal, metric: Metric, baselines: list[Json]) -> None:
    for line in baselines:
        difference = line["difference"]
        verdict = "clearly better than" if difference["low"] > 0 else "not clearly better than"
        journal.say(
            "comparison",
            f"on {metric.name} this is {verdict} {line['name']}: {difference['test']:+.4f} "
            f"(95 % interval {difference['low']:+.4f} to {difference['high']:+.4f}).",
            **difference,
        )


def _findings(data: EventData, weights: dict[str, float], baselines: list[Json]) -> Json:
    columns = data.encoder.columns.model_dump()
    return {
        "target": columns["item"],
        "columns": [
            {"name": name, "kind": role, "why": f"it is the column of the {role}"}
            for role, name in columns.items()
            if name
        ],
        "split_sentences": data.notes[-3:],
        "members": [
            {"name": name, "metric_validation": None, "sentence": f"weight {weight:.2f}"}
            for name, weight in weights.items()
        ],
        "baselines": baselines,
        "health": [],
    }


def _advice(baselines: list[Json]) -> list[str]:
    close = [line["name"] for line in baselines if line["difference"]["low"] <= 0]
    if not close:
        return []
    return [
        f"The result is not clearly better than {', '.join(close)}: with this little data the "
        "simple way does as well. More events of returning users would help most."
    ]
