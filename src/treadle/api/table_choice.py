"""Which members of a table's fit answer, and with which weights: chosen on validation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from treadle.api.member import Member
from treadle.contracts import Json
from treadle.goal import Metric
from treadle.models.blend import Beside, Blend, choose, choose_beside
from treadle.report.spoken import raw

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from treadle.api.tune import Tuner


class Choice(NamedTuple):
    """The members that are kept, each one's weight, why in words, and what result.json gets."""

    members: list[Member]
    weights: dict[str, float]
    sentence: str
    told: Json


def chosen(
    members: list[Member],
    truth: NDArray[Any],
    metric: Metric,
    tuner: Tuner | None = None,
    *,
    seed: int = 0,
) -> Choice:
    """Choose among members: the usual ones, and behind them what a tuner tried.

    truth: of the validation rows. Of what was tried only that is kept which answers.
    """
    if tuner is None:
        return Choice(members, *_among(members, truth, metric), {})
    usual, told = [family.name for family in tuner.families], {"tune": tuner.report()}
    if len(members) == len(usual):
        weights, sentence = _among(members, truth, metric)
        told["tune"]["usual_blend"] = weights
        return Choice(members, weights, sentence, told)
    sign = 1.0 if metric.higher_is_better else -1.0
    found = choose_beside(
        {member.name: member.validation for member in members},
        usual,
        truth,
        lambda true, predicted: sign * metric(true, predicted),
        seed=seed,
    )
    told["tune"]["usual_blend"] = dict(found.usual.shares)
    kept = [one for one in members if one.name in usual or one.name in found.chosen.shares]
    return Choice(kept, _weights(kept, found.chosen), _beside_in_words(found, metric), told)


def _among(
    members: list[Member], truth: NDArray[Any], metric: Metric
) -> tuple[dict[str, float], str]:
    """Return each member's weight, and why in one sentence."""
    if len(members) == 1:
        return {members[0].name: 1.0}, f"the model is {members[0].name}."
    sign = 1.0 if metric.higher_is_better else -1.0
    found = choose(
        {member.name: member.validation for member in members},
        truth,
        lambda true, predicted: sign * metric(true, predicted),
    )
    each = " and ".join(f"{name} {raw(sign * value)}" for name, value in found.alone.items())
    start = f"on validation, {metric.name} is {each}"
    if not found.is_blend:
        (best,) = found.shares
        said = f"{start}; no blend is surely better, so {best} answers alone."
    else:
        said = (
            f"{start}; together, {_parts(found)}, it is {raw(sign * found.score)}, so the answer "
            "is that blend."
        )
    return _weights(members, found), said


def _beside_in_words(found: Beside, metric: Metric) -> str:
    sign = 1.0 if metric.higher_is_better else -1.0
    answer = f"{_parts(found.chosen)}, with {metric.name} {raw(sign * found.chosen.score)}"
    fair = (
        "each half of the validation rows chose, and the other half judged: with what was tried "
        f"the answer is {'better' if found.gain > 0 else 'worse'} by {raw(abs(found.gain))} "
        f"({metric.name}, better in {found.won} of {found.halves})"
    )
    if found.is_better:
        return f"{fair}. So the answer is {answer} on validation."
    return f"{fair}. That is no sure gain, so the usual settings answer: {answer} on validation."


def _weights(members: list[Member], blend: Blend) -> dict[str, float]:
    return {member.name: round(blend.shares.get(member.name, 0.0), 4) for member in members}


def _parts(blend: Blend) -> str:
    return " and ".join(f"{share:.0%} {name}" for name, share in blend.shares.items())
