"""The end of a recommender's fit: its weights among the simple ways, one test, what is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treadle.api.event_data import EventData
from treadle.api.event_money import event_money
from treadle.api.kept_rows import keep_measures
from treadle.api.member import summary
from treadle.api.options import FitOptions
from treadle.api.result import write_result
from treadle.api.training import Trained
from treadle.api.where_events_fail import where_events_fail
from treadle.contracts import Json
from treadle.data.event_health import check_events
from treadle.folder import RunFolder
from treadle.goal import REPORTED, Metric
from treadle.loop.journal import Journal
from treadle.models.baseline_choice import BASELINES, Choice, choose
from treadle.models.item_baselines import Ease
from treadle.models.ranking import Cases, Scorer, paired_interval, ranking_metrics
from treadle.models.recommender_blend import BLEND_REGULARIZATION, MEMBERS, RecommenderBlend
from treadle.report.sentences import SIMPLE_WAYS

if TYPE_CHECKING:
    from torch import Tensor

    from treadle.data.events import EncodedLog
    from treadle.models.recommender import Recommender

NAMES = ("decayed transitions", "EASE", "recent popularity")
WAYS = {
    "network": "the sequence model",
    "transitions": "what usually comes next",
    "ease": "what is taken together",
    "recent_ease": "what was taken together of late",
    "popularity": "what is popular now",
}
"""What the answer is mixed of, in words."""


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
    blend = _weighed(data, network, choices, seed, journal)
    validated = _validated(blend, data, metric, seed)
    seen = where_events_fail(data, blend, k, seed)
    rivals = tables_for(data.known, data.num_items, choices)
    served = blend.refitted(*blend_tables(data.known, data.num_items, choices))
    write_model(folder, data, network, served, choices)
    ours = measure(served, data.test, k, seed)
    keep_measures(folder, *_moments(data), {name: each.numpy() for name, each in ours.items()})
    journal.say("test", "the time after the cut was scored once, now that all is decided.")
    baselines = [
        _compared(name, ours, measure(scorer, data.test, k, seed), metric, data.test.group, seed)
        for name, scorer in zip(NAMES, rivals, strict=True)
    ]
    _say_comparison(journal, metric, baselines)
    folder.write_json("findings.json", _findings(data, blend, baselines) | seen)
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


def _weighed(
    data: EventData,
    network: Recommender,
    choices: dict[str, Choice],
    seed: int,
    journal: Journal,
) -> RecommenderBlend:
    """Return the network and the simple ways, weighed on the validation moments."""
    blend = RecommenderBlend(network, *blend_tables(data.train, data.num_items, choices))
    finding = blend.fit_weights(data.validation, seed=seed)
    weights = ", ".join(f"{WAYS[name]} {weight:.2f}" for name, weight in finding.weights.items())
    journal.say(
        "blend",
        f"the sequence model and the simple ways were weighed together on validation: {weights}.",
        weights=finding.weights,
        cases=finding.cases,
    )
    return blend


def _validated(blend: RecommenderBlend, data: EventData, metric: Metric, seed: int) -> float:
    """Return the metric on validation; for NDCG with weights found on other moments."""
    k = int(metric.name.split("@")[1])
    if metric.name.startswith("ndcg"):
        return float(blend.cross_fitted_ndcg(data.validation, k=k, seed=seed).mean())
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


def blend_tables(log: EncodedLog, num_items: int, choices: dict[str, Choice]) -> list[Any]:
    """Return the simple ways as the blend takes them: its EASE is held back more than a rival's."""
    transitions, _, popularity = tables_for(log, num_items, choices)
    ease = Ease.fit(log.items, log.times, log.users, num_items, regularization=BLEND_REGULARIZATION)
    return [transitions, ease, popularity]


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


def _findings(data: EventData, blend: RecommenderBlend, baselines: list[Json]) -> Json:
    weights = zip(MEMBERS, blend.weights.tolist(), strict=True)
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
            {"name": WAYS[name], "metric_validation": None, "sentence": f"counts {weight:.2f}"}
            for name, weight in weights
        ],
        "baselines": baselines,
        "health": [finding.model_dump(mode="json") for finding in check_events(data.log.frame)],
    }


def _advice(baselines: list[Json]) -> list[str]:
    close = [SIMPLE_WAYS[line["name"]] for line in baselines if line["difference"]["low"] <= 0]
    if not close:
        return []
    return [
        f"The result is not clearly better than {', '.join(close)}: with this little data the "
        "simple way does as well. More events of returning users would help most."
    ]
