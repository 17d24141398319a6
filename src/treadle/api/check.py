"""`treadle check`: look at data before training, and train nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treadle.contracts import Json

if TYPE_CHECKING:
    from treadle.api.options import FitOptions


def check(options: FitOptions | Any, *, frame: Any = None, **named: Any) -> Json:
    """Return what data was taken for, how it would be split, and what looks wrong.

    options: FitOptions, or what `fit` takes: check("customers.csv", target="left"), check(frame, …)

    The result holds `sentences`, `columns` [{name, kind, why}], `rows` by part and `findings`
    [{severity, title, sentence, action}].

    Raises: UserError where a fit would refuse.
    """
    from treadle.api.fit_data import are_paths, kind_of
    from treadle.api.options import FitOptions
    from treadle.api.refusals import refuse_unmet

    if not isinstance(options, FitOptions):
        if are_paths(options):
            named["data"] = options
        else:
            frame = options
        options = FitOptions.of(named)
    kind = kind_of(options, frame)
    refuse_unmet(options, kind)
    if kind == "images":
        from treadle.api.fit_images import look

        return look(options)
    if kind == "events":
        from treadle.api.fit_events import look as look_at_events

        return look_at_events(options, frame)
    return _check_table(options, frame)


def _check_table(options: FitOptions, frame: Any) -> Json:
    from treadle.api.table_data import PARTS, prepare, read_table

    data = prepare(options, read_table(options, frame))
    return {
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
