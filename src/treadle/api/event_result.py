"""The end of a recommender's fit: its weights among the simple ways, one test, what is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.api.event_data import EventData
from treadle.api.event_mix import (
    NAMES,
    WAYS,
    Weighed,
    blend_tables,
    choose_baselines,
    counts_in_words,
    tables_for,
    weighed,
)
from treadle.api.event_money import event_money
from treadle.api.kept_rows import keep_measures
from treadle.api.measure import without_a_mistake
from treadle.api.member import summary
from treadle.api.options import FitOptions
from treadle.api.result import write_result
from treadle.api.training import Trained
from treadle.api.where_events_fail import where_events_fail
from treadle.contracts import Json
from treadle.folder import RunFolder
from treadle.goal import REPORTED, Metric
from treadle.loop.journal import Journal
from treadle.models.baseline_choice import Choice
from treadle.models.ranking import Cases, Scorer, paired_interval, ranking_metrics
from treadle.models.recommender_blend import MEMBERS, RecommenderBlend
from treadle.report.sentences import SIMPLE_WAYS

if TYPE_CHECKING:
    from torch import Tensor

    from treadle.models.recommender import Recommender


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
    k, seed = int(metric.name.split("@")[1]), options.seed
    choices = choose_baselines(data, seed)
    blend, mix, alone = weighed(data, network, choices, k, seed, journal)
    validated = _validated(blend, data, metric, mix, seed)
    seen = where_events_fail(data, blend, k, seed)
    rivals = tables_for(data.known, data.num_items, choices)
    served = blend.refitted(*blend_tables(data.known, data.num_items, rivals, alone))
    write_model(folder, data, network, served, choices)
    ours = measure(served, data.test, k, seed)
    keep_measures(folder, *_moments(data), {name: each.numpy() for name, each in ours.items()})
    journal.say("test", "the time after the cut was scored once, now that all is decided.")
    baselines = [
        _compared(name, ours, measure(scorer, data.test, k, seed), metric, data.test.group, seed)
        for name, scorer in zip(NAMES, rivals, strict=True)
    ]
    _say_comparison(journal, metric, baselines)
    folder.write_json("findings.json", _findings(data, mix, baselines) | seen)
    told: Json = {}
    if data.worth is not None:
        simple = dict(zip(NAMES, rivals, strict=True))
        told["money"] = event_money(data.worth, data, options, served, simple, k)
        for sentence in told["money"]["sentences"]:
            journal.say("money", sentence, with_the_answer=True)
    write_result(
        folder,
        kind="events",
        task="next_item",
        rows=data.sizes(),
        metric=metric,
        validation=validated,
        found={n: _with_interval(v, data.test.group, seed) for n, v in ours.items()},
        baselines=baselines,
        ended=summary(trained),
        advice=_advice(baselines),
        blend=dict(zip(MEMBERS, blend.weights.tolist(), strict=True)),
        **told,
    )


def _moments(data: EventData) -> tuple[list[str], list[float]]:
    """Return the user and the time of each test moment."""
    cases, names = data.test, data.known.user_names
    return [names[user] for user in cases.group.tolist()], cases.times[cases.end].tolist()


def _validated(
    blend: RecommenderBlend, data: EventData, metric: Metric, weighed: Weighed, seed: int
) -> float:
    """Return the metric on validation; for NDCG with weights found on other moments."""
    k = int(metric.name.split("@")[1])
    if metric.name.startswith("ndcg") and weighed.ndcg is not None:
        return weighed.ndcg
    return float(ranking_metrics(blend, data.validation, k=k, seed=seed)[metric.name].mean())


def _compared(
    name: str,
    ours: dict[str, Tensor],
    theirs: dict[str, Tensor],
    metric: Metric,
    users: Tensor,
    seed: int,
) -> Json:
    """Return a simple way's metrics, and by how much ours are above them, with intervals."""
    apart = {k: _with_interval(ours[k] - theirs[k], users, seed) for k in ours}
    return {
        "name": name,
        "metrics": _means(theirs),
        "difference": apart[metric.name],
        "differences": apart,
    }


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
            "titles": data.titles.of(data.encoder.items) if data.titles.by_item else None,
        },
    )


def _means(values: dict[str, Tensor]) -> dict[str, float]:
    return {name: float(value.mean()) for name, value in values.items()}


def _with_interval(values: Tensor, users: Tensor, seed: int) -> Json:
    """Return the mean and its 95 % interval; whole users are drawn, for theirs hang together."""
    mean, low, high = paired_interval(values, users, seed=seed)
    if mean == low == high == 1.0:
        low = without_a_mistake(len(users.unique()))
    return {"test": mean, "low": low, "high": high}


def _say_comparison(journal: Journal, metric: Metric, baselines: list[Json]) -> None:
    for line in baselines:
        difference = line["difference"]
        verdict = "clearly better than" if difference["low"] > 0 else "not clearly better than"
        journal.say(
            "comparison",
            f"by {metric.name} this is {verdict} {SIMPLE_WAYS[line['name']]}: "
            f"{difference['test']:+.4f} "
            f"(95 % interval {difference['low']:+.4f} to {difference['high']:+.4f}).",
            **difference,
        )


def _findings(data: EventData, weighed: Weighed, baselines: list[Json]) -> Json:
    columns = data.encoder.columns.model_dump()
    return {
        "target": columns["item"],
        "columns": [
            {"name": name, "kind": role, "why": f"it is the column of the {role}"}
            for role, name in columns.items()
            if name
        ],
        "split_sentences": data.split_notes,
        "members": [
            {
                "name": WAYS[name],
                "metric_validation": None,
                "sentence": f"moves the order of items by {words}",
            }
            for name, words in counts_in_words(weighed).items()
        ],
        "baselines": baselines,
        "health": [finding.model_dump(mode="json") for finding in data.findings],
    }


def _is_clear(line: Json) -> bool:
    """Return whether it is surely better than a simple way by any metric: the first told too."""
    return any(apart["low"] > 0 for apart in line["differences"].values())


def _advice(baselines: list[Json]) -> list[str]:
    close = [SIMPLE_WAYS[line["name"]] for line in baselines if not _is_clear(line)]
    if not close:
        return []
    *early, last = close
    named = f"{', '.join(early)} and than {last}" if early else last
    return [
        f"The result is not clearly better than {named}: here the simple way does as well. More "
        "events of returning users may change that."
    ]
