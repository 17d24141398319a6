"""The backbone on the engine that a run recorded, or on the nearest that can be used here."""

from __future__ import annotations

import torch

from treadle.models.vision import STRIDE, Backbone
from treadle.models.vision_packed import ENGINES, engine_problem


def backbone_like(backbone: Backbone, engine: str) -> tuple[Backbone, str]:
    """Return the backbone on an engine or, where it cannot be used here, on the nearest that can,
    and one sentence that says so.
    """
    wanted = ENGINES[: ENGINES.index(engine) + 1] if engine in ENGINES else ENGINES[:1]
    problem = engine_problem(engine)
    for nearest in reversed(wanted):
        if engine_problem(nearest):
            continue
        try:
            found = backbone.on(nearest)
            found.features(torch.zeros(1, 3, STRIDE, STRIDE))
        except RuntimeError as error:
            problem = problem or f"this torch does not know its layers ({_first_line(error)})"
            continue
        return found, _other_way(engine, nearest, problem)
    raise AssertionError("the plain way can always be used")


def _other_way(engine: str, nearest: str, problem: str) -> str:
    if nearest == engine:
        return ""
    return (
        f"photos were looked at the way '{engine}' in training; {problem}, so they are looked at "
        f"the way '{nearest}': what is seen agrees to about a thousandth, not to the bit."
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]
