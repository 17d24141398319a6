"""Cases: a curve cut short, a later step, and what was true there."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tasks import half_of

from treadle.loop.schedules import by_name
from treadle.watch.forecaster import FARTHEST

FEWEST = 6
CUTS = (0.05, 0.1, 0.14, 0.2, 0.3, 0.4, 0.5)
CUTS_OF_A_PLAN = (0.1, 0.2, 0.35, 0.5, 0.7, 0.85)


@dataclass(frozen=True, kw_only=True)
class Case:
    """Forecast from the first steps of a curve, for `target`; less is better everywhere.

    truth: the best until there, or what is there already where that is better
    scale: what the whole curve gained, to compare curves by
    group: sensible, odd (a rate far too low or too high), or zoo
    way:   flat (the rate stays), falling (within the plan), longer (another, longer plan)
    """

    name: str
    half: str
    group: str
    kind: str
    way: str
    multiple: str
    steps: NDArray[np.float64]
    values: NDArray[np.float64]
    target: float
    decay: float
    truth: float
    scale: float
    bound: float

    @property
    def asked(self) -> tuple[Any, ...]:
        """What the signs are asked for besides the curve: targets, decays, replanned, bound."""
        replanned = np.array([float(self.way == "longer")])
        return np.array([self.target]), np.array([self.decay]), replanned, self.bound


def read(path: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [line for line in lines if "values" in line]


def of(lines: list[dict[str, Any]]) -> Iterator[Case]:
    groups = defaultdict(dict)
    for line in lines:
        groups[line["asked"]["number"]][line["horizon"]] = line
    for lengths in groups.values():
        curves = {length: _curve(line) for length, line in lengths.items()}
        if any(curve is None for curve in curves.values()):
            continue
        longest = curves[max(curves)]
        begun = float(np.median(longest[1][:3]))
        best = min(float(v.min()) for _, v in curves.values())
        bound = -1.0 if next(iter(lengths.values()))["higher_is_better"] else 0.0
        scale = max(begun - best, 0.02 * (best - bound))
        for length, line in lengths.items():
            rest = {other: c for other, c in curves.items() if other > length}
            yield from _of_curve(line, curves[length], rest, scale, bound)


def _curve(line: dict[str, Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    values = np.array([np.nan if v is None else v for v in line["values"]], dtype=float)
    values = -values if line["higher_is_better"] else values
    steps = np.array(line["steps"], dtype=float)
    finite = np.isfinite(values)
    return (steps[finite], values[finite]) if finite.sum() >= FEWEST else None


def _of_curve(
    line: dict[str, Any], curve: Any, longer: Any, scale: float, bound: float
) -> Iterator[Case]:
    steps, values = curve
    length = float(line["horizon"])
    lowest = np.minimum.accumulate(values)
    factor = by_name(line["schedule"])
    flat = line["schedule"] == "constant"
    for share in CUTS if flat else CUTS_OF_A_PLAN:
        cut = int(np.searchsorted(steps, share * length, side="right"))
        if cut < FEWEST:
            continue
        now = steps[cut - 1]
        targets = {"2": 2 * now, "5": 5 * now, "end": length}
        for multiple, target in targets.items():
            if target > min(length, FARTHEST * now) or (multiple == "end" and share > 0.8):
                continue
            decay = factor(int(now), int(length), 1.0) - factor(int(target), int(length), 1.0)
            truth = lowest[int(np.searchsorted(steps, target, side="right")) - 1]
            yield _case(line, "flat" if flat else "falling", multiple, steps[:cut], values[:cut],
                        target, max(0.0, decay), truth, scale, bound)  # fmt: skip
    for share in (0.5, 1.0):
        cut = int(np.searchsorted(steps, share * length, side="right"))
        if cut < FEWEST:
            continue
        for other, (_, others) in longer.items():
            if other > FARTHEST * steps[cut - 1]:
                continue
            best = min(float(others.min()), float(lowest[cut - 1]))
            decay = factor(int(steps[cut - 1]), int(length), 1.0)
            yield _case(line, "longer", f"{round(other / steps[cut - 1])}", steps[:cut],
                        values[:cut], float(other), decay, best, scale, bound)  # fmt: skip


def _group(line: dict[str, Any]) -> str:
    if line["kind"] == "zoo":
        return "zoo"
    return "sensible" if 0.3 <= line["asked"]["rate"] <= 3.2 else "odd"


def _case(line: Any, way: str, multiple: str, steps: Any, values: Any, *numbers: float) -> Case:
    target, decay, truth, scale, bound = map(float, numbers)
    return Case(
        name=line["task"], half=line["half"], group=_group(line), kind=line["kind"], way=way,
        multiple=multiple, steps=steps, values=values, target=target, decay=decay, truth=truth,
        scale=scale, bound=bound,
    )  # fmt: skip


def of_whole(curves: Any) -> Iterator[Case]:
    """Yield the cases of curves whose rate stays as it is: `stopping.Whole`."""
    for curve in curves:
        up = curve.metric.higher_is_better
        line = {
            "task": curve.task, "half": half_of(curve.task), "kind": "zoo", "schedule": "constant",
            "higher_is_better": up, "values": curve.values, "steps": curve.steps,
            "horizon": curve.steps[-1], "asked": {"number": curve.name},
        }  # fmt: skip
        yield from of([line])
