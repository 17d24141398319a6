"""Sweeps over what can befall a checkpoint: each tries many faults, and tells what ended wrong.

    sweep_kills(count, seed, place)        SIGKILL before, or in the middle of, a call of a save
    sweep_errors(count, seed, place)       a disk that is full, read-only, or fails to sync
    sweep_power_cuts(count, seed, place)   what was not synced is lost, torn, or out of order
    sweep_flips(count, seed, place)        one bit of one file is another
    sweep_truncations(count, seed, place)  one file is shorter

All take `place`, a folder that they may fill and that they empty again, and need a C compiler
(`interposer.compiler()`), but for the last two. Two laws are held to. The newest whole checkpoint
is found: one that was finished is never lost, and no more than one interval between saves is
trained anew. And what comes of the resumed run is equal to the bit to the uninterrupted one:
weights, optimizer, generators, place in the data, history.
"""

from __future__ import annotations

import errno
import random
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.faults.disk import Disk, Tree, lay_out, power_cuts
from tests.faults.interposer import (
    TAKING_SPACE,
    Call,
    Fault,
    calls_in,
    compiler,
    newest_mark,
)
from tests.faults.storage_zygote import Zygote, zygote
from tests.faults.tiny_run import Answer, Plan, Trial, checkpoints
from treadle.loop.checkpoint import finished

needs_compiler = pytest.mark.skipif(
    compiler() is None, reason="there is no C compiler here to build the interposer with"
)


@dataclass
class Tally:
    """How many faults were tried, and a line on each that ended wrong."""

    tried: int = 0
    wrong: list[str] = field(default_factory=list)

    def count(self, problem: str, tried: int = 1) -> None:
        self.tried += tried
        if problem:
            self.wrong.append(problem)


class Range:
    """Where trials are turned: a zygote, and a folder of its own for each trial."""

    def __init__(self, place: Path, forks: Zygote) -> None:
        self.place, self.forks = place.resolve(), forks
        self._whole: dict[Plan, Answer] = {}
        self._number = 0

    def new_root(self) -> Path:
        self._number += 1
        return self.place / f"trial-{self._number}" / "run"

    def clear(self, root: Path) -> None:
        shutil.rmtree(root.parent)

    def whole(self, plan: Plan) -> Answer:
        """Return what the uninterrupted run of a plan came to."""
        if plan not in self._whole:
            root = self.new_root()
            self._whole[plan] = self.turn(root, plan)[0]
            self.clear(root)
        return self._whole[plan]

    def turn(
        self,
        root: Path,
        plan: Plan = Plan(),  # noqa: B008
        fault: Fault = Fault(),  # noqa: B008
        name: str = "log",
        program: str = "train",
    ) -> tuple[Answer, list[Call]]:
        """Turn a run from where its folder stands, and return its answer and its calls."""
        log = root.parent / name
        log.unlink(missing_ok=True)
        root.mkdir(parents=True, exist_ok=True)
        answer = self.forks.run(Trial(root=root, log=log, plan=plan, fault=fault), program)
        return answer, calls_in(log)


def sweep_kills(count: int, seed: int, place: Path) -> Tally:
    """Kill runs at drawn calls, up to three times each, until `count` kills were made."""
    tally, draw = Tally(), random.Random(seed)
    with zygote(place) as forks:
        trials = Range(place, forks)
        while tally.tried < count:
            plan = drawn_plan(draw)
            most = trials.whole(plan)["calls"]
            faults = [
                Fault(action=draw.choice(["kill", "half then kill"]), at=draw.randint(1, most))
                for _ in range(draw.randint(1, 3))
            ]
            kills, problem = killed(trials, plan, faults)
            tally.count(problem and f"{plan} {faults}: {problem}", kills)
    return tally


def drawn_plan(draw: random.Random) -> Plan:
    return Plan(every=draw.randint(1, 3), keep=draw.randint(1, 2), beside=draw.random() < 0.3)


def killed(trials: Range, plan: Plan, faults: list[Fault]) -> tuple[int, str]:
    """Turn a run that is killed again and again, then to its end: how many kills, what is wrong."""
    root, kills, problem, saved, reached = trials.new_root(), 0, "", 0, 0
    for number, fault in enumerate([*faults, Fault()]):
        answer, calls = trials.turn(root, plan, fault, f"log-{number}")
        kills += answer["ended"] == -9
        if any(call.second == "began" for call in calls):
            began = newest_mark("began", calls)
            problem = problem or lost(plan, saved, reached, began)
            reached = max(began, newest_mark("reached", calls))
        saved = max(saved, newest_mark("saved", calls))
    problem = problem or unequal(trials, plan, answer) or litter(root)
    trials.clear(root)
    return kills, problem


def lost(plan: Plan, saved: int, reached: int, began: int) -> str:
    """Tell what was lost when a run that had reached a step begins again at another."""
    if began < saved:
        return f"the finished checkpoint of step {saved} is lost: it began at {began}"
    if not plan.beside and reached - began > plan.every:
        return f"{reached - began} steps are lost, and a save was due every {plan.every}"
    return ""


def unequal(trials: Range, plan: Plan, answer: Answer) -> str:
    if answer["ended"] or answer.get("error"):
        return f"it could not go on: {answer}"
    same = answer["digest"] == trials.whole(plan)["digest"]
    return "" if same else f"begun at {answer['began']}, it came to something else"


def litter(root: Path) -> str:
    left = [path.name for path in checkpoints(root).glob(".*")]
    return f"{left} were left behind" if left else ""


def sweep_errors(count: int, seed: int, place: Path) -> Tally:
    """Let drawn calls fail: a full disk, one that fails to sync, one that is read-only."""
    tally, draw = Tally(), random.Random(seed)
    with zygote(place) as forks:
        trials = Range(place, forks)
        while tally.tried < count:
            plan, fault = drawn_plan(draw), drawn_error(draw)
            problem = failed(trials, plan, fault)
            if problem is not None:
                tally.count(problem and f"{plan} {fault}: {problem}")
    return tally


def drawn_error(draw: random.Random) -> Fault:
    at, for_good = draw.randint(1, 120), draw.random() < 0.5
    if draw.random() < 0.4:
        return Fault(action="fail", kinds="s", at=draw.randint(1, 40), error=errno.EIO)
    if draw.random() < 0.2:
        return Fault(action="fail", kinds=TAKING_SPACE, at=at, error=errno.EROFS, for_good=True)
    action = draw.choice(["fail", "half then fail"])
    return Fault(action=action, kinds=TAKING_SPACE, at=at, for_good=for_good)


def failed(trials: Range, plan: Plan, fault: Fault) -> str | None:
    """Turn a run whose disk fails it, then one that goes on; None when no call came to fail."""
    root = trials.new_root()
    answer, calls = trials.turn(root, plan, fault, "log-0")
    failures = [call for call in calls if call.kind == "F"]
    problem = None
    if failures:
        saved = newest_mark("saved", calls)
        problem = unsaid(answer, failures, fault) or litter(root) or retried(calls)
        steps = [int(path.name[5:14]) for path in finished(checkpoints(root))]
        step = re.search(r"step ([\d,]+)", answer.get("error", ""))
        once = step and int(step[1]) < plan.num_steps  # the last step is saved twice
        if not problem and step and once and int(step[1]) in steps:
            problem = f"what was said to have failed is there: {answer}, {steps}"
        again, _ = trials.turn(root, plan, name="log-1")
        # a failed save is said behind the next step
        problem = problem or lost(plan, saved, answer["reached"] - 1, again["began"])
        problem = problem or unequal(trials, plan, again)
    trials.clear(root)
    return problem


def unsaid(answer: Answer, failures: list[Call], fault: Fault) -> str:
    """Tell when a failure was not said. A failed removal is none: what is left is collected."""
    pruning = all(call.second == "r" and not call.path.name.startswith(".") for call in failures)
    error = answer.get("error", "")
    if f"[Errno {fault.error}]" in error or (pruning and not error):
        return ""
    return f"the error was not said: {answer}"


def retried(calls: list[Call]) -> str:
    """Tell when a file that failed to be synced was synced after all, as if nothing had been."""
    failed_once: set[Path] = set()
    for call in calls:
        if call.kind == "F" and call.second == "s":
            failed_once.add(call.path)
        elif call.kind in "ud":
            failed_once.discard(call.path)
        elif call.kind == "s" and call.path in failed_once and call.path.suffix:
            return f"{call.path.name} was synced again after it had failed"
    return ""


def sweep_power_cuts(count: int, seed: int, place: Path) -> Tally:
    """Cut the power at drawn moments of runs, some of them killed and resumed before."""
    tally, draw = Tally(), random.Random(seed)
    with zygote(place) as forks:
        trials = Range(place, forks)
        while tally.tried < count:
            plan = drawn_plan(draw)
            kill = Fault(action="kill", at=draw.randint(1, trials.whole(plan)["calls"]))
            calls, root = recorded(trials, plan, [kill] if draw.random() < 0.5 else [])
            moments = set(draw.sample(range(1, len(calls) + 1), min(len(calls), 25)))
            for moment, how, saved, tree in cuts(calls, root, moments, draw, num_random=3):
                problem = survives(trials, plan, tree, saved)
                where = f"{plan} {kill}, {how} behind call {moment}"
                tally.count(problem and f"{where}: {problem}")
                if tally.tried >= count:
                    break
    return tally


def recorded(trials: Range, plan: Plan, kills: list[Fault]) -> tuple[list[Call], Path]:
    """Return every call of a run that was killed as often as asked for, and its folder."""
    root, calls = trials.new_root(), list[Call]()
    for number, fault in enumerate([*kills, Fault()]):
        calls += trials.turn(root, plan, fault, f"log-{number}")[1]
    trials.clear(root)
    return calls, root


def cuts(
    calls: list[Call], root: Path, moments: set[int], draw: random.Random, num_random: int
) -> Iterator[tuple[int, str, int, Tree]]:
    """Yield (moment, how, the newest step that was saved, what is left); nothing twice."""
    disk, saved, seen = Disk(root), 0, set[int]()
    for moment, call in enumerate(calls, 1):
        disk.apply(call)
        saved = max(saved, newest_mark("saved", [call]))
        for how, tree in power_cuts(disk, draw, num_random) if moment in moments else ():
            key = hash((saved, *sorted(tree.items(), key=lambda item: item[0])))
            if key not in seen:
                seen.add(key)
                yield moment, how, saved, tree


def survives(trials: Range, plan: Plan, tree: Tree, saved: int) -> str:
    """Resume what a power cut left, and tell what is wrong with it."""
    root = trials.new_root()
    lay_out(tree, root)
    answer, _ = trials.turn(root, plan)
    problem = lost(plan, saved, 0, answer.get("began", 0)) or unequal(trials, plan, answer)
    trials.clear(root)
    return problem or litter(root)
