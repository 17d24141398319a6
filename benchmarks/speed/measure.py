"""Measuring one work: start everyone, take rounds, compare with the bars."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.speed import rounds
from benchmarks.speed.process import AbsentError, Worker
from benchmarks.speed.works import Bar, Environment, Work

Say = Callable[[str], None]
Pythons = Mapping[Environment, Path]
TOO_DISTURBED = 0.05


def measured(work: Work, pythons: Pythons, threads: int, num_rounds: int, say: Say) -> Any:
    """Return what a work gave, as JSON: seconds per round, facts, who was absent, the bars."""
    absent: dict[str, str] = {}
    workers = _started(work, pythons, threads, absent, say)

    def lost(name: str, problem: Exception) -> None:
        absent[name] = str(problem) or type(problem).__name__
        say(f"  {name} dropped out: {absent[name]}")

    try:
        fewer = {one.name: one.rounds for one in work.contenders if one.rounds is not None}
        found = rounds.interleave(workers, num_rounds, work.turn_seconds, lost, fewer)
        rows = {name: _row(workers[name], seconds) for name, seconds in found.items()}
    finally:
        for worker in workers.values():
            worker.kill()
    disturbed = share_of_others(rows)
    for name, seconds in found.items():
        say(f"  {name:42} {statistics.median(seconds) * 1e6:12,.1f} µs a {work.unit}")
    return {
        "title": work.title,
        "group": work.group,
        "unit": work.unit,
        "note": work.note,
        "rounds": num_rounds,
        "rows": rows,
        "absent": absent,
        "disturbed": disturbed,
        "level": work.spec.get("level"),
        "bars": [settled(judged(bar, found, absent), disturbed) for bar in work.bars],
    }


def share_of_others(rows: Mapping[str, Any]) -> float:
    """Return which share of the cores others took over all turns; 0 where nobody tells."""
    taken = [pair for row in rows.values() for pair in row["taken_by_others"]]
    return (
        max(0.0, sum(one for one, _ in taken) / sum(there for _, there in taken)) if taken else 0.0
    )


def settled(bar: dict[str, Any], disturbed: float) -> dict[str, Any]:
    """Return the bar, neither met nor missed where others took too much of the cores."""
    if bar["met"] is None or disturbed < TOO_DISTURBED:
        return bar
    why = f"other processes took {disturbed:.0%} of the cores: measure again on a free machine"
    return bar | {"met": None, "why": why}


def _started(
    work: Work, pythons: Pythons, threads: int, absent: dict[str, str], say: Say
) -> dict[str, Worker]:
    """Start and warm up one contender after the other; those that cannot are put into absent."""
    workers = {}
    for contender in work.contenders:
        spec = {**work.spec, **contender.options, "threads": threads}
        try:
            worker = Worker(contender.place, spec, pythons[contender.environment])
        except AbsentError as problem:
            absent[contender.name] = str(problem)
            say(f"  {contender.name} is absent: {problem}")
        else:
            workers[contender.name] = worker
    return workers


def _row(worker: Worker, seconds: list[float]) -> dict[str, Any]:
    return {
        "seconds": seconds,
        "warm_seconds": worker.warm_seconds,
        "taken_by_others": worker.taken_by_others,
        "after_warm_up": worker.after_warm_up,
        "facts": worker.finish(),
    }


def judged(bar: Bar, found: rounds.Seconds, absent: Mapping[str, str]) -> dict[str, Any]:
    """Return what a bar asks and what was measured; `met` is None where it was not."""
    ours = bar.ours if bar.ours in found else bar.instead or bar.ours
    row: dict[str, Any] = {"ours": ours, "peer": bar.peer, "limit": bar.limit, "met": None}
    row["asked_of"] = bar.ours
    missing = [name for name in (ours, bar.peer) if name is not None and name not in found]
    if missing:
        return row | {"why": f"{missing[0]}: {absent.get(missing[0], 'it was not measured')}"}
    # a bar without a peer is in µs
    theirs = found[bar.peer] if bar.peer else [1e-6] * len(found[ours])
    ratio = rounds.ratio(found[ours], theirs)
    if ours != bar.ours:
        row["why"] = f"{bar.ours}: {absent.get(bar.ours, 'it was not measured')}"
    return row | {"ratio": list(ratio), "met": ratio.median <= bar.limit and ours == bar.ours}
