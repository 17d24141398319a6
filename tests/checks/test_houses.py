"""The contract of houses allows what the table says, and nothing else."""

from __future__ import annotations

import pytest
from grimp import ImportGraph

from checks.houses import HouseContract


def broken(*imports: tuple[str, str]) -> list[str]:
    """Return what the contract says about direct imports between modules of the package."""
    graph = ImportGraph()
    for importer, imported in imports:
        graph.add_import(importer=importer, imported=imported, line_number=1, line_contents="")
    contract = HouseContract(
        name="houses",
        session_options={},
        contract_options={
            "anyone": ["errors"],
            "table": ["loop: capture", "loop.loop: loop.until", "api: loop, data", "cli: api"],
            "without_torch": ["cli"],
        },
    )
    return list(contract.check(graph, verbose=False).metadata["found"])


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("treadle.loop.step", "treadle.capture"),
        ("treadle.loop.step", "treadle.loop.state"),
        ("treadle.loop.loop", "treadle.loop.until"),
        ("treadle.loop.loop", "treadle.errors"),
        ("treadle.api.fit", "treadle.loop.loop"),
        ("treadle.models.trees", "treadle.errors"),
        ("treadle.models.trees", "treadle.models.counter"),
        ("treadle.models.trees", "torch"),
        ("treadle.cli.main", "rich"),
    ],
)
def test_what_the_table_allows_is_kept(importer: str, imported: str) -> None:
    assert broken((importer, imported)) == []


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("treadle.loop.step", "treadle.data.batches"),
        ("treadle.loop.loop", "treadle.loop.step"),
        ("treadle.loop.loop", "treadle.capture"),
        ("treadle.models.trees", "treadle.loop.state"),
        ("treadle.newhouse.thing", "treadle.loop.state"),
        ("treadle.errors", "treadle.api.fit"),
        ("treadle.cli.main", "treadle.loop.until"),
        ("treadle.cli.main", "torch"),
        ("treadle.api.fit", "treadle.database"),
    ],
)
def test_everything_else_is_broken_and_named(importer: str, imported: str) -> None:
    (said,) = broken((importer, imported))
    assert said.startswith(f"{importer} imports {imported} (line 1)")
