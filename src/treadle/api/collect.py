"""`treadle collect`: what more data would bring, which to collect first, and a request for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from treadle.api.asked_before import asked_before, options_of
from treadle.api.collecting.fits import Curve, Fits, PartGain
from treadle.api.collecting.ground import Ground
from treadle.api.collecting.inflow import inflow_of
from treadle.api.collecting.plan import (
    DEFAULT_SECONDS,
    FEWEST_PIECES,
    FEWEST_ROWS,
    Plan,
    plan_of,
)
from treadle.api.collecting.request import part_of, request_of
from treadle.api.collecting.words import (
    forecast_of,
    part_sentences,
    sentence_of,
    sentences_of,
    verdict_of,
)
from treadle.api.options import FitOptions
from treadle.contracts import Json
from treadle.data.durations import parse_duration
from treadle.errors import DataError, OptionError, RunError
from treadle.folder import RunFolder
from treadle.study.part_gain import Part
from treadle.watch.forecast_words import duration

Say = Callable[[str], None]
TIMES = (2, 4)
FILE, REQUEST = "collect.json", "request.html"


def collect(
    run: Path | str,
    frame: Any = None,
    *,
    data: Sequence[str] = (),
    budget: str | None = None,
    inflow: str | None = None,
    out: Path | str | None = None,
    say: Say | None = None,
) -> Json:
    """Fit a run's model on parts of its data; say what more would bring, and write a request.

    frame:  the data, where it came from Python; data: where it lies now, if it was moved
    budget: about how long that may take, such as "5 minutes"
    inflow: how many examples come in a time, such as "200 a week"
    out:    where the request goes as plain text, beside RUN/request.html
    say:    what is told on the way, sentence by sentence

    Returns what RUN/collect.json holds. Raises: RunError, OptionError, DataError.
    """
    say = say or (lambda sentence: None)
    folder, options, seconds = _asked(run, frame, data, budget)
    ground = _ground(folder, options, frame)
    _refuse_few(ground)
    known = inflow_of(inflow, ground.moments, ground.noun)
    plan = plan_of(ground.ways, seconds)
    say(_plan_words(plan, ground))
    fits = Fits(ground, plan, options.seed, say)
    curve = fits.curve()
    gains, thin = fits.parts(curve)
    now = _now(folder, ground, curve)
    found = _found(ground, plan, curve, gains, thin, now, has_inflow=known is not None)
    request = request_of(
        ground,
        found["verdict"],
        now,
        forecast_of(ground, curve, now, 2),
        gains,
        thin,
        known,
        datetime.now().astimezone().date(),
    )
    return _kept(folder, found | {"request": request}, out)


def _asked(
    run: Path | str, frame: Any, data: Sequence[str], budget: str | None
) -> tuple[RunFolder, FitOptions, float]:
    """Return the run, what it was asked for, and how many seconds may be taken."""
    folder = RunFolder.open(run)
    kind = folder.config["kind"]
    if kind == "module":
        raise RunError(
            f"the run at {run} trained a module of your own, and only your code can build it anew.",
            "Call treadle.fit with a half and a quarter of your data, and compare the runs.",
        )
    if folder.result is None:
        raise RunError(
            f"the run at {run} was not finished, so there is nothing to compare with yet.",
            f"Go on with: treadle resume {run}",
        )
    recorded = folder.config["options"]
    if frame is not None and recorded["data"]:
        raise OptionError(f"the run at {run} learned from files: {', '.join(recorded['data'])}.")
    asked = recorded if frame is not None else asked_before(folder, data)
    seconds = parse_duration(budget, "--budget") if budget else DEFAULT_SECONDS
    return folder, options_of(folder, asked), seconds


def _ground(folder: RunFolder, options: FitOptions, frame: Any) -> Ground:
    kind = folder.config["kind"]
    if kind == "images":
        from treadle.api.collecting.images import image_ground

        return image_ground(folder, options)
    if kind == "events":
        from treadle.api.collecting.events import event_ground

        return event_ground(folder, options, frame)
    from treadle.api.collecting.table import table_ground

    return table_ground(folder, options, frame)


def _refuse_few(ground: Ground) -> None:
    grouped = len(ground.pieces) < ground.num_rows
    if ground.num_rows >= FEWEST_ROWS and len(ground.pieces) >= FEWEST_PIECES:
        return
    found = f"there are {ground.num_rows:,} {ground.noun}s"
    found += f", in {len(ground.pieces):,} groups," if grouped else ""
    raise DataError(
        f"{found} to learn from: too few for fits on parts.",
        f"It takes {FEWEST_ROWS} at least, in {FEWEST_PIECES} groups where they belong together. "
        "With fewer, more data nearly always helps.",
    )


def _plan_words(plan: Plan, ground: Ground) -> str:
    parts = (
        f", then at most {2 * plan.num_parts} with one part of the data doubled"
        if plan.num_parts and ground.kind != "events"
        else ""
    )
    return (
        f"{plan.num_fits} trainings on parts of the data{parts}: about "
        f"{duration(plan.seconds / 60)} in all."
    )


def _now(folder: RunFolder, ground: Ground, curve: Curve) -> float:
    """Return the run's own figure on validation, else that of the fit on all rows."""
    told = (folder.result or {}).get("metric") or {}
    if told.get("name") == ground.metric.name and told.get("validation") is not None:
        return float(told["validation"])
    return curve.points[-1].value


def _found(
    ground: Ground,
    plan: Plan,
    curve: Curve,
    gains: list[PartGain],
    thin: list[Part],
    now: float,
    *,
    has_inflow: bool,
) -> Json:
    verdict = verdict_of(ground, curve)
    forecasts = [forecast_of(ground, curve, now, times) for times in TIMES]
    scale = ground.loss_of(now) / curve.posterior.last if curve.posterior.last > 0 else 1.0
    return {
        "format": 1,
        "kind": ground.kind,
        "metric": ground.metric.name,
        "noun": ground.noun,
        "rows": ground.num_rows,
        "now": now,
        "verdict": verdict,
        "twice": asdict(forecasts[0]),
        "four_times": asdict(forecasts[1]),
        "points": [
            {"rows": point.rows, "value": ground.value_of(scale * ground.loss_of(point.value))}
            for point in curve.points
        ],
        "line": _line(ground, curve, scale),
        "models": list(plan.way.models),
        "same_as_run": plan.way.same,
        "parts": [part_of(one) for one in gains],
        "thin": [{"where": one.where, "rows": len(one.train)} for one in thin],
        "sentence": sentence_of(ground, verdict, now, forecasts[0]),
        "part_sentences": part_sentences(ground, gains, thin),
        "sentences": sentences_of(
            ground, verdict, now, forecasts, gains, thin, plan.way.words, has_inflow=has_inflow
        ),
    }


def _line(ground: Ground, curve: Curve, scale: float) -> list[Json]:
    """Return the fitted curve and its band, from the smallest fit to four times the rows."""
    least = min(point.rows for point in curve.points) / ground.num_rows
    shares = [*np.geomspace(least, 1.0, 13), *np.geomspace(1.0, TIMES[-1], 9)[1:]]
    found = []
    for share in map(float, shares):
        band = curve.posterior.band(share)
        ends = [ground.value_of(scale * loss) for loss in (band.low, band.middle, band.high)]
        found.append(
            {
                "rows": round(share * ground.num_rows),
                "low": min(ends),
                "middle": ends[1],
                "high": max(ends),
            }
        )
    return found


def _kept(folder: RunFolder, found: Json, out: Path | str | None) -> Json:
    """Write collect.json, the request and the report anew; return what is told."""
    from treadle.report.page import write
    from treadle.report.request import request_text, write_request

    folder.write_json(FILE, found)
    files = {"collect": str(folder.path / FILE)}
    (folder.path / REQUEST).unlink(missing_ok=True)  # one of an earlier look
    if found["request"] is not None:
        files["request"] = str(write_request(folder))
        if out is not None:
            Path(out).write_text(request_text(folder), encoding="utf-8")
            files["text"] = str(out)
    write(folder.path)
    return found | {"run": str(folder.path), "files": files}
