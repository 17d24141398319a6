"""What training cost and answering will cost, at the user's own rates."""

from __future__ import annotations

from pathlib import Path

import pytest

import treadle
from tests import small
from treadle.api.options import FitOptions
from treadle.api.running import MachineRate, parse_machine_cost, running_costs
from treadle.errors import OptionError


@pytest.mark.parametrize(
    ("text", "an_hour", "unit"),
    [("0.20 an hour", 0.2, ""), ("€146 a month", 0.2, "€"), ("$4.8 a day", 0.2, "$")],
)
def test_rates_are_counted_by_the_hour(text: str, an_hour: float, unit: str) -> None:
    rate = parse_machine_cost(text)
    assert rate.an_hour == pytest.approx(an_hour) and rate.unit == unit


def test_what_is_no_rate_is_refused() -> None:
    with pytest.raises(OptionError, match="--machine-cost 'cheap' was not understood"):
        FitOptions.of({"machine_cost": "cheap"})
    with pytest.raises(OptionError, match="--watts is -5"):
        FitOptions.of({"watts": -5})


def test_hours_money_and_energy_follow_from_the_rates() -> None:
    found = running_costs(
        MachineRate(an_hour=0.5, unit="€"),
        65.0,
        training_seconds=7_200,
        row_seconds=0.36,
        cases_a_year=20_000,
    )
    assert found["training"] == {
        "hours": 2.0,
        "money": 1.0,
        "kilowatt_hours_estimated": pytest.approx(0.13),
    }
    assert found["serving"]["hours"] == pytest.approx(2.0)
    first, second = found["sentences"]
    assert "2 hours (€1.00 at your rate; 0.13 kWh, estimated from your watts)" in first
    assert "the 20,000 cases of a year takes 2 hours" in second


def test_a_fit_tells_them_where_a_rate_was_said(tmp_path: Path) -> None:
    run = treadle.fit(
        small.customers(),
        target="left",
        model="trees",
        until="3 epochs",
        threads=1,
        machine_cost="€0.20 an hour",
        watts=65,
        out=tmp_path / "run",
    )
    found = run.result["running"]
    assert found["serving"]["cases"] == 1e6 and found["serving"]["row_seconds"] > 0
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "What training cost, and what it bought" in page and found["sentences"][1] in page
