"""README and docs keep their word: runnable blocks run, links lead somewhere, names exist."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pytest
from PIL import Image

import treadle

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
WRITTEN_BY_MAKE = ("benchmarks.md",)
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
BLOCK = re.compile(r"^```(bash|python) runnable\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?://)([^)#]+)")


class Block(NamedTuple):
    language: str
    text: str
    place: str


def blocks(document: Path) -> list[Block]:
    text = document.read_text()
    return [
        Block(found[1], found[2], f"{document.name}:{text.count(chr(10), 0, found.start()) + 2}")
        for found in BLOCK.finditer(text)
    ]


def write_customers(path: Path, num_rows: int, *, with_answer: bool) -> None:
    """Customers who leave when they call often and have been here for a short time."""
    draw = np.random.default_rng(num_rows)
    months, calls = draw.integers(1, 60, num_rows), draw.poisson(2.0, num_rows)
    leaving = draw.random(num_rows) < 1 / (1 + np.exp(0.08 * months - calls))
    table = {
        "customer": [f"C{number:05d}" for number in range(num_rows)],
        "months": months,
        "calls": calls,
        "plan": draw.choice(["basic", "family", "business"], num_rows),
        "paid": draw.gamma(2.0, 20.0, num_rows).round(2),
    }
    answer = {"left": np.where(leaving, "yes", "no")} if with_answer else {}
    pl.DataFrame(table | answer).write_csv(path)


def write_photos(folder: Path, num_each: int) -> None:
    """Dark and bright photos, 48 by 48, a sub-folder a class."""
    draw = np.random.default_rng(num_each)
    for name, level in (("dark", 60), ("bright", 190)):
        (folder / name).mkdir(parents=True)
        for number in range(num_each):
            pixels = draw.normal(level, 25, (48, 48, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")


def write_purchases(path: Path) -> None:
    """Customers who mostly buy the product after the last one."""
    draw = np.random.default_rng(3)
    rows = []
    for customer in range(80):
        product = int(draw.integers(40))
        for number in range(12):
            product = (product + (1 if draw.random() < 0.8 else int(draw.integers(40)))) % 40
            day = customer % 20 + number * 3
            rows.append(
                (f"U{customer}", f"P{product}", f"2024-{1 + day // 28:02d}-{1 + day % 28:02d}")
            )
    columns = ["customer", "product", "bought_at"]
    pl.DataFrame(rows, schema=columns, orient="row").sort("bought_at").write_csv(path)


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the small data that the documents speak of."""
    write_customers(tmp_path / "customers.csv", 400, with_answer=True)
    write_customers(tmp_path / "new_customers.csv", 15, with_answer=False)
    write_photos(tmp_path / "photos", 24)
    write_photos(tmp_path / "new_photos", 3)
    write_purchases(tmp_path / "purchases.csv")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))  # where the cache of features lies
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_runnable_blocks_run(document: Path, workplace: Path) -> None:
    names: dict[str, object] = {"__name__": document.stem}
    for block in blocks(document):
        if block.language == "python":
            exec(compile(block.text, block.place, "exec"), names)
            continue
        command = ["bash", "-euo", "pipefail", "-c", block.text]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, f"{block.place}\n{ran.stdout[-2000:]}\n{ran.stderr[-2000:]}"


def test_every_document_that_teaches_has_something_to_run() -> None:
    teaching = [document for document in DOCUMENTS if document.name not in WRITTEN_BY_MAKE]
    assert [document.name for document in teaching if not blocks(document)] == []


@pytest.mark.parametrize("document", [*DOCUMENTS, CONTRIBUTING], ids=lambda p: p.name)
def test_links_lead_somewhere(document: Path) -> None:
    links = LINK.findall(document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_loop_md_shows_the_loop_as_it_is() -> None:
    shown = (ROOT / "docs" / "loop.md").read_text()
    assert (ROOT / "src" / "treadle" / "loop" / "loop.py").read_text() in shown


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_names_in_documents_exist(document: Path) -> None:
    named = set(re.findall(r"\btreadle\.(\w+)\(", document.read_text()))
    assert named - set(treadle.__all__) == set()


NAMED_TEST = re.compile(r"`((?:faults|inputs|safety|loop)/test_\w+\.py)(?:::(test_\w+))?`")


def test_every_test_that_the_page_on_reliability_names_is_there() -> None:
    named = NAMED_TEST.findall((ROOT / "docs" / "reliability.md").read_text())
    assert len(named) > 40
    for file, test in named:
        text = (ROOT / "tests" / file).read_text()
        assert f"def {test}(" in text if test else "def test_" in text, f"{file}::{test}"
