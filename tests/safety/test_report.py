"""Names that are markup, from the data to the page: shown as they are written, never obeyed."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import treadle
from tests import small
from tests.report.test_page import Elements
from treadle.report.words import explain

NASTY = "<script>alert(1)</script>"
QUOTED = "\"'><img src=x onerror=alert(2)>"
CLOSING = "</text></svg></table><svg onload=alert(3)>"
TEMPLATE = "{{ 7919 * 7919 }}{% raw %}${7919*7919}"


def shown(run: treadle.Run) -> str:
    """Return the page, once it is sure that nothing in it is run or fetched."""
    page = (run.path / "report.html").read_text(encoding="utf-8")
    elements = Elements(page)
    assert not {"script", "iframe", "object", "embed", "link", "form"} & set(elements.names)
    assert not [name for name, _ in elements.attributes if name.startswith("on")]
    sources = [value or "" for name, value in elements.attributes if name in ("src", "href")]
    assert not [value for value in sources if not value.startswith(("data:image/", "#"))]
    assert "62710561" not in page + " ".join(explain(run.path))
    return page


@pytest.mark.parametrize("target", ["left", "paid"])
def test_names_of_columns_classes_and_values(tmp_path: Path, target: str) -> None:
    names = {"age": NASTY, "city": QUOTED, "income": CLOSING, "left": TEMPLATE, "paid": "a&b<i>"}
    frame = small.customers().with_columns(
        city=pl.col("city") + "<b onclick=alert(4)>", left="<u>" + pl.col("left") + "</u>"
    )
    path = tmp_path / "<img src=x onerror=alert(5)>.csv"
    frame.rename(names).write_csv(path)
    run = treadle.fit(
        path,
        target=names[target],
        until="1 epoch",
        threads=1,
        engine="eager",
        out=tmp_path / "<svg onload=alert(6)>",
    )
    page = shown(run)
    assert "&lt;script&gt;alert(1)" in page and "{{ 7919 * 7919 }}" in page


def test_names_of_classes_and_photos(tmp_path: Path) -> None:
    photos = small.photos(tmp_path / "photos")
    (photos / "red").rename(photos / "<img src=x onerror=alert(1)>")
    for number, file in enumerate(sorted((photos / "green").iterdir())):
        file.rename(file.with_name(f"<script>alert({number})<.png"))
    run = treadle.fit(
        photos, cache=tmp_path / "cache", until="1 epoch", threads=1, out=tmp_path / "run"
    )
    assert "&lt;img src=x onerror=alert(1)&gt;" in shown(run)


def test_names_of_users_items_and_events(tmp_path: Path) -> None:
    frame = small.purchases().with_columns(
        user=NASTY + pl.col("user"), item=QUOTED + pl.col("item"), event=pl.lit(CLOSING)
    )
    names = {"user": NASTY, "item": QUOTED, "event": TEMPLATE}
    run = treadle.fit(
        frame.rename(names),
        kind="events",
        time="time",
        until="1 epoch",
        threads=1,
        engine="eager",
        out=tmp_path / "run",
        **names,
    )
    shown(run)
