"""What training cost and answering will cost, at the user's own rates; energy is an estimate."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

from treadle.contracts import Frozen, Json
from treadle.costs import SIGNS
from treadle.rates import A_YEAR, parse_rate
from treadle.report.spoken import duration, significant

MOST_ROWS = 2_000
MOST_PHOTOS = 32
HOURS_A_YEAR = A_YEAR["hour"]
EXAMPLE = "€0.20 an hour"


class MachineRate(Frozen):
    """What a machine costs by the hour, and the sign of money it was said in."""

    an_hour: float
    unit: str = ""


def parse_machine_cost(text: str) -> MachineRate:
    """Return what "€0.20 an hour" or "150 a month" says. Raises: OptionError."""
    found = re.match(rf"\s*([{SIGNS}]?)(.*)", text, re.DOTALL)
    assert found is not None
    rate = parse_rate(found[2], "--machine-cost", EXAMPLE)
    return MachineRate(an_hour=rate.a_year / HOURS_A_YEAR, unit=found[1])


def serving_seconds(model: Path, rows: Any) -> float:
    """Return the seconds that answering one row takes here, the model being loaded and warm.

    rows: rows of a table, or the paths of photos; some of them are taken
    """
    from treadle.serve.predictor import load_predictor

    some = rows[:MOST_PHOTOS] if isinstance(rows, list) else rows.head(MOST_ROWS)
    predictor = load_predictor(model)
    predictor.predict(some)
    began = time.perf_counter()
    predictor.predict(some)
    return (time.perf_counter() - began) / max(1, len(some))


def running_costs(
    machine: MachineRate | None,
    watts: float | None,
    *,
    training_seconds: float,
    row_seconds: float,
    cases_a_year: float | None,
) -> Json:
    """Return result.json's "running": hours, money and energy of training and of answering.

    cases_a_year: None: answering is told for a million cases
    """
    cases = 1e6 if cases_a_year is None else cases_a_year
    training, serving = training_seconds / 3600, row_seconds * cases / 3600
    found: Json = {
        "training": _at(training, machine, watts),
        "serving": _at(serving, machine, watts) | {"cases": cases, "row_seconds": row_seconds},
        "unit": machine.unit if machine else "",
    }
    of_cases = (
        "a million cases" if cases_a_year is None else f"the {significant(cases)} cases of a year"
    )
    return found | {
        "sentences": [
            f"Training took {duration(training_seconds)}"
            f"{_words(found['training'], found['unit'])}.",
            f"Answering {of_cases} takes {duration(serving * 3600)} on this machine"
            f"{_words(found['serving'], found['unit'])}, not counting the time to read and "
            "write them.",
        ]
    }


def _at(hours: float, machine: MachineRate | None, watts: float | None) -> Json:
    return {
        "hours": hours,
        "money": None if machine is None else machine.an_hour * hours,
        "kilowatt_hours_estimated": None if watts is None else watts * hours / 1_000,
    }


def _words(found: Json, unit: str) -> str:
    parts = []
    if found["money"] is not None:
        parts.append(f"{_small(found['money'], unit)} at your rate")
    if found["kilowatt_hours_estimated"] is not None:
        energy = _small(found["kilowatt_hours_estimated"])
        parts.append(f"{energy} kWh, estimated from your watts")
    return f" ({'; '.join(parts)})" if parts else ""


def _small(value: float, unit: str = "") -> str:
    """Return a number that may be small: €12.3, 0.05, "less than €0.01"."""
    if 0 < value < 0.01:
        return f"less than {unit}0.01"
    return f"{unit}{value:.2f}" if value < 1 else unit + significant(round(value, 2))
