"""What `treadle check --deep` adds to a look: in the answer, in a folder, in a run's report."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from treadle.api.label_list import write_list
from treadle.api.result import write_report
from treadle.contracts import Json
from treadle.data.finding import Finding, worst_first
from treadle.errors import TreadleError
from treadle.folder import RunFolder


def with_deeper(
    found: Json,
    quick: list[Finding],
    deeper: list[Finding],
    facts: Json,
    suspects: pl.DataFrame | None,
    out: Path | None,
) -> Json:
    """Return what was found with what a deep look adds; write the list of suspects below `out`."""
    both = worst_first([*quick, *deeper])
    found = {**found, "findings": [finding.model_dump(mode="json") for finding in both], **facts}
    if out is not None and suspects is not None and suspects.height:
        found["label_errors"]["file"] = str(write_list(out, suspects))
    if out is not None:
        _into_report(out, found["findings"])
    return found


def _into_report(out: Path, findings: list[Json]) -> None:
    """Put findings into the report of a finished run; another folder is left as it is."""
    try:
        run = RunFolder.open(out)
        kept = run.findings
        if run.result is None or kept is None:
            return
    except TreadleError:  # no run: a folder for the list alone
        return
    told = {finding["title"] for finding in findings}
    health = [*findings, *(f for f in kept.get("health", []) if f["title"] not in told)]
    run.write_json("findings.json", {**kept, "health": health, "deep": True})
    write_report(run)
