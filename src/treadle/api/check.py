"""`treadle check`: look at data before training, and keep nothing that is trained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from treadle.contracts import Json
from treadle.folder import RunFolder

if TYPE_CHECKING:
    from treadle.api.options import FitOptions


def check(
    options: FitOptions | Any,
    *,
    frame: Any = None,
    deep: bool = False,
    out: Path | str | None = None,
    **named: Any,
) -> Json:
    """Return what data was taken for, how it would be split, and what looks wrong.

    options: FitOptions, or what `fit` takes: check("customers.csv", target="left"),
             check(frame, …); or a run folder: what that run learned from, as it was asked
    deep:    look deeper, for up to a minute: answers that may be wrong, rows or photos nearly the
             same, parts where answers are worst, and whether the parts are of one kind
    out:     a folder for label_errors.csv, the answers to look at; written by a deep look alone.
             Where it is the folder of a finished run, what was found goes into its report; for
             a run it is that run's

    The result holds `sentences`, `columns` [{name, kind, why}], `rows` by part and `findings`
    [{severity, title, sentence, action}], warnings first; a deep look adds `label_errors`,
    `slices` and `drift`.

    Raises: UserError where a fit would refuse; SaveError where `out` cannot be written.
    """
    from treadle.api.asked_before import asked_before, options_of
    from treadle.api.fit_data import are_paths, kind_of
    from treadle.api.options import FitOptions
    from treadle.api.refusals import refuse_unmet

    if not isinstance(options, FitOptions):
        if are_paths(options):
            named["data"] = options
        else:
            frame = options
        options = FitOptions.of(named)
    folder = None if out is None else Path(out)
    if run := _run_named(options):
        options, folder = options_of(run, asked_before(run)), folder or run.path
    kind = kind_of(options, frame)
    refuse_unmet(options, kind)
    if kind == "images":
        from treadle.api.check_images import check_images

        return check_images(options, deep=deep, out=folder)
    if kind == "events":
        from treadle.api.fit_events import look as look_at_events

        found = look_at_events(options, frame)
        if deep:
            found["sentences"].append("Of a log of events this is all: --deep finds no more there.")
        return found
    return _check_table(options, frame, deep=deep, out=folder)


def _run_named(options: FitOptions) -> RunFolder | None:
    """Return the run that was given in the place of data, if one was."""
    if len(options.data) != 1 or not (run := RunFolder(options.data[0])).is_run:
        return None
    return run


def _check_table(options: FitOptions, frame: Any, *, deep: bool, out: Path | None) -> Json:
    from treadle.api.table_data import PARTS, prepare, read_table

    data = prepare(options, read_table(options, frame))
    found: Json = {
        "kind": "table",
        "task": data.target.task,
        "sentences": data.notes,
        "columns": [
            {"name": column.name, "kind": column.kind, "why": column.why}
            for column in data.schema.columns
        ],
        "rows": {part: len(data.parts[part]["target"]) for part in PARTS},
        "findings": [finding.model_dump(mode="json") for finding in data.findings],
    }
    if not deep:
        return found
    from treadle.api.check_deep import look_deeper
    from treadle.api.check_result import with_deeper

    look = look_deeper(data, options)
    return with_deeper(found, data.findings, look.findings, look.facts, look.list, out)
