"""`treadle worth-of`: what a part of the data earned, by forks of the run that differ in it alone.

Each thing is priced by itself against the whole: the same model is trained with it and without it,
from the same seeds, on the same other rows, and the same rows judge both. Test rows are not
touched: what data to keep is a choice, and what is chosen by the test part can no longer be tested
on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from treadle.api.pricing.asked import Asking
from treadle.api.pricing.ground import Ground, refuse_other_runs, shares_told
from treadle.api.pricing.judge import Judge
from treadle.api.pricing.things import Thing
from treadle.api.pricing.words import in_words, metric_words
from treadle.api.pricing.work import FEWEST_SEEDS, Work
from treadle.api.training import Observer
from treadle.contracts import Json
from treadle.data.durations import parse_duration
from treadle.errors import DataError, OptionError
from treadle.folder import RunFolder
from treadle.study.turns import Turn

Array: TypeAlias = NDArray[Any]

NAME = "worth-of.json"
SEEDS, MOST_SEEDS = 5, 50
FEWEST_ROWS = 20


def worth_of(
    run: Path | str | Any,
    *,
    without: Sequence[str] | str = (),
    each: str | None = None,
    corrections: str | None = None,
    adding: str | None = None,
    seeds: int = SEEDS,
    budget: str | None = None,
    data: Any = None,
    observer: Observer | None = None,
) -> Json:
    """Return what parts of a run's data earned: a record with one entry a thing, the dearest first.

    worth_of("runs/left", without=["plan", "supplier=B"])["things"][0]["earned"]

    without: columns ("price"), rows ("supplier=B", "age<18", "rows:FILE"); one entry each
    each:    a column: one entry for each of its values
    corrections: a list of corrected answers; adding: a file of further rows
    seeds:   how many paired trainings; budget: how long all may take, such as "10 minutes"
    data:    where the data lies now, or the frame, for a run whose data came from Python

    Raises: UserError for a mistake; Interrupted: what was trained is kept, and gone on from.
    """
    folder = RunFolder.open(getattr(run, "path", run))
    refuse_other_runs(folder)
    _check_seeds(seeds)
    limit = parse_duration(budget, "--budget") if budget else None
    texts = (without,) if isinstance(without, str) else tuple(without)
    asked = Asking(without=texts, each=each, corrections=corrections, adding=adding)
    ground = _ground(folder, data)
    things, told = ground.learner.things(asked)
    if not things:
        raise OptionError(
            "nothing was named to be priced.",
            'Say what the model should do without: --without price, --without "supplier=B", or '
            "--each COLUMN for each of its values.",
        )
    turns = ground.turns(seeds)
    _refuse_too_few(ground, things, turns)
    work = Work(ground, things, turns, observer or Observer(), limit)
    notes = [*ground.notes, *told]
    work.say(notes)
    work.plan()
    record = _record(ground, things, work.train(), work.folder, notes)
    folder.write_json(NAME, _merged(folder, record))
    _tell_report(folder)
    return record


def _ground(folder: RunFolder, data: Any) -> Ground:
    if folder.config["kind"] == "images":
        from treadle.api.pricing.photos import photo_ground

        return photo_ground(folder, data)
    from treadle.api.pricing.table import table_ground

    return table_ground(folder, data)


def _check_seeds(seeds: int) -> None:
    if not FEWEST_SEEDS <= seeds <= MOST_SEEDS:
        raise OptionError(
            f"--seeds is {seeds}.",
            f"Use {FEWEST_SEEDS} to {MOST_SEEDS}: one training alone cannot tell luck from worth.",
        )


def _refuse_too_few(ground: Ground, things: Sequence[Thing], turns: Sequence[Turn]) -> None:
    """Refuse what would leave too few rows, or none of a class, to learn from or to choose by."""
    smallest = min(min(len(turn.judge), len(turn.choose)) for turn in turns)
    words = ground.learner.words
    if smallest < FEWEST_ROWS:
        raise DataError(
            f"only {smallest:,} {words} would judge or choose in a training: too few to tell what "
            "data earned.",
            f"That takes {FEWEST_ROWS} at least; there must be some hundred {words} in all.",
        )
    every = np.arange(ground.frame.height)
    codes = None if ground.target.task == "number" else ground.truth(every)
    problems = []
    for thing in things:
        lacks = [_lacking(ground, codes, turn, thing) for turn in turns if thing.rows is not None]
        if what := next(filter(None, lacks), None):
            problems.append(
                (
                    f"without {thing.name}, {what} would be left to learn from and to choose by.",
                    "Then there is no model to compare with: price a part of them.",
                )
            )
    if problems:
        raise OptionError.of(problems)


def _lacking(ground: Ground, codes: Array | None, turn: Turn, thing: Thing) -> str | None:
    """Return what one side of a turn would lack: rows, or a class."""
    assert thing.rows is not None
    learn, choose = (rows[~thing.rows[rows]] for rows in (turn.learn, turn.choose))
    if min(len(learn), len(choose)) < FEWEST_ROWS:
        return f"too few {ground.learner.words}"
    if codes is None:
        return None
    known = set(np.unique(codes[learn]))
    if len(ground.target.classes) == 2:
        known &= set(np.unique(codes[choose]))
    lost = [name for code, name in enumerate(ground.target.classes) if code not in known]
    return f"no '{lost[0]}'" if lost else None


def _record(
    ground: Ground,
    things: Sequence[Thing],
    turns: Sequence[Turn],
    folder: Path,
    notes: list[str],
) -> Json:
    """Return what each thing earned, the dearest first, and how that was measured."""
    judge = Judge(ground, turns, folder)
    entries = judge.entries(things)
    whole = float(np.mean(judge.values(None, None)))
    record: Json = {
        "run": str(ground.run.path),
        "metric": ground.metric.name,
        "metric_said": metric_words(ground.metric.name),
        "higher_is_better": ground.metric.higher_is_better,
        "target": ground.target.column,
        "model": ground.recipe.model,
        "seeds": len(turns),
        "whole": whole,
        "means": _meaning(ground, whole),
        "judged_by": "validation" if ground.ahead else "turns",
        "rows": shares_told(turns, ground),
        "row_words": ground.learner.words,
        "data": ground.marks.get("sha256"),
        "notes": notes,
        "things": sorted(entries, key=_dearest),
    }
    return record | {"sentences": in_words(record)}


def _dearest(entry: Json) -> float:
    """Return what puts the things that earned most first."""
    return -float((entry.get("money") or entry).get("earned") or 0.0)


def _meaning(ground: Ground, value: float) -> str:
    """Return what the metric says of the model with all the data, in one plain sentence."""
    from treadle.report.sentences import is_share, sentence_for

    target, name = ground.target, ground.metric.name
    told = sentence_for(
        name,
        value,
        target=target.column,
        positive=target.classes[1] if target.task == "two_classes" else "",
        classes=target.classes,
    )
    if not is_share(name):
        return told
    return f"{told} So 0.01 of {metric_words(name)} is one in these 100."


def _merged(folder: RunFolder, record: Json) -> Json:
    """Return the record with what earlier calls priced on the same data in the same way."""
    before = folder.read_json(NAME) or {}
    if any(before.get(name) != record[name] for name in ("metric", "model", "data", "judged_by")):
        return record
    ours = {entry["key"] for entry in record["things"]}
    kept = [entry for entry in before.get("things", []) if entry.get("key") not in ours]
    things = sorted([*record["things"], *kept], key=_dearest)
    whole = record | {"things": things}
    return whole | {"sentences": in_words(whole)}


def _tell_report(folder: RunFolder) -> None:
    """Write the run's report anew, with the price list in it."""
    from treadle.api.result import write_report

    write_report(folder)
