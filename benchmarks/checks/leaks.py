"""How many planted leaks are found, and how many are cried on tables that have none.

    python -m benchmarks.checks.leaks --data FOLDER --more FOLDER [--out FILE]

Every kind is planted into every table where it makes sense. Thresholds were chosen on some of the
tables (`tables.CHOSEN_ON`) and are judged on the others.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.checks.plants import PLANTS
from benchmarks.checks.tables import CHOSEN_ON, Table, tables


def leaks_of(table: Table) -> tuple[list[dict[str, Any]], float]:
    """Return what is said of leaks in a table, and the seconds of the look."""
    from treadle.api.options import FitOptions
    from treadle.api.table_data import prepare, read_table

    options = FitOptions.of({"target": table.target, **table.options})
    data = prepare(options, read_table(options, table.frame))
    began = time.monotonic()
    findings = data.findings
    seconds = time.monotonic() - began
    return [f.model_dump() for f in findings if "leak" in f.evidence], seconds


def judge(table: Table, plant: str, clean: set[str | None]) -> dict[str, Any]:
    """Plant one leak and say whether it was found, and as what."""
    kind, grow = PLANTS[plant]
    leaky, column = grow(table, np.random.default_rng(len(table.name) + len(plant)))
    found, seconds = leaks_of(leaky)
    hits = [
        f
        for f in found
        if (column in f["evidence"].get("columns", []) if column else f["evidence"]["leak"] == kind)
    ]
    others = {f["evidence"].get("column") for f in found} - {column, None} - clean
    return {
        "table": table.name,
        "plant": plant,
        "kind": kind,
        "found": bool(hits),
        "as": [f["evidence"]["leak"] for f in hits],
        "others": sorted(others),
        "seconds": round(seconds, 2),
        "judges": table.name not in CHOSEN_ON,
    }


def main() -> None:
    """Run all and print what was found."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path)
    parser.add_argument("--more", type=Path)
    parser.add_argument("--only", nargs="*", default=None)
    parser.add_argument("--plants", nargs="*", default=None)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    rows: list[dict[str, Any]] = []
    cried: dict[str, list[str]] = {}
    for table in tables(asked.data, asked.more):
        if asked.only and table.name not in asked.only:
            continue
        said, seconds = leaks_of(table)
        cried[table.name] = [f"{f['evidence']['leak']}: {f['sentence']}" for f in said]
        print(
            f"{table.name}: {table.frame.shape}, {seconds:.2f} s, {cried[table.name]}", flush=True
        )
        clean = {f["evidence"].get("column") for f in said}
        for plant in asked.plants if asked.plants is not None else PLANTS:
            row = judge(table, plant, clean)
            rows.append(row)
            if not row["found"] or row["others"]:
                print("   ", row, flush=True)
    _say(rows, cried)
    if asked.out:
        asked.out.write_text(json.dumps({"planted": rows, "cried": cried}, indent=1))


def _say(rows: list[dict[str, Any]], cried: dict[str, list[str]]) -> None:
    for judges, word in ((False, "chosen on"), (True, "judged on")):
        chosen = [row for row in rows if row["judges"] is judges]
        found = sum(row["found"] for row in chosen)
        print(f"{word}: {found} of {len(chosen)} planted leaks found")
        missed = Counter(row["plant"] for row in chosen if not row["found"])
        print(f"   missed: {dict(missed)}")
    for names, word in (
        ([n for n in cried if n in CHOSEN_ON], "chosen on"),
        ([n for n in cried if n not in CHOSEN_ON], "judged on"),
    ):
        alarms = {name: cried[name] for name in names if cried[name]}
        print(f"{word}: {len(names) - len(alarms)} of {len(names)} tables without an alarm")


if __name__ == "__main__":
    main()
