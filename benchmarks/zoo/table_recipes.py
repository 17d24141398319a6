"""The recipes of tables: each cause planted where it can be seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from benchmarks.zoo.frames import TABLE_NEEDS
from benchmarks.zoo.own_recipes import SAME_AS_TOO_HIGH
from benchmarks.zoo.recipe import Cause, Recipe
from benchmarks.zoo.tables import TableBase, TablePlant, TableSettings

TREES, NETWORK = 0.1, 5e-3
"""What Treadle's network takes, and five times what its trees do: few rounds suffice then."""

ROUNDS, ROUNDS_PATIENCE = 400, 25


def _trees(data: str, *, rows: int, held_out: int = 500) -> TableBase:
    return TableBase(
        name=f"{data}-trees",
        data=data,
        model="trees",
        rate=TREES,
        rows=rows,
        held_out=held_out,
        epochs=ROUNDS,
        patience=ROUNDS_PATIENCE,
    )


TABLE_BASES = (
    _trees("census", rows=2_000),
    _trees("late", rows=3_000),
    _trees("fraud", rows=4_000, held_out=2_000),
    _trees("hours", rows=3_000),
    _trees("shops", rows=2_000),
    _trees("shops-classes", rows=2_000),
    _trees("product", rows=2_000),
    _trees("friedman", rows=1_500),
    _trees("chances", rows=3_000),
    _trees("rings", rows=1_500),
    TableBase(name="census-network", data="census", model="neural", rate=NETWORK, epochs=8),
    TableBase(name="late-network", data="late", model="neural", rate=NETWORK, rows=1_200,
              epochs=6),
    TableBase(name="hours-network", data="hours", model="neural", rate=NETWORK, epochs=6),
    TableBase(name="shops-network", data="shops", model="neural", rate=NETWORK, rows=1_500,
              epochs=12),
    TableBase(name="shops-noisy-network", data="shops-noisy", model="neural", rate=NETWORK,
              rows=1_500, epochs=8),
    TableBase(name="product-network", data="product", model="neural", rate=NETWORK, rows=1_500,
              epochs=12),
    TableBase(name="friedman-network", data="friedman", model="neural", rate=NETWORK, rows=1_000,
              epochs=15),
    TableBase(name="blobs-network", data="blobs", model="neural", rate=NETWORK, rows=1_000,
              epochs=8),
    TableBase(name="blobs-apart-network", data="blobs-apart", model="neural", rate=NETWORK,
              rows=800, epochs=8),
    TableBase(name="chances-network", data="chances", model="neural", rate=NETWORK, rows=1_500,
              epochs=6),
    TableBase(name="chances-rare-network", data="chances-rare", model="neural", rate=NETWORK,
              rows=2_000, epochs=6),
    TableBase(name="waves-network", data="waves", model="neural", rate=NETWORK, rows=1_000,
              epochs=15),
    TableBase(name="spirals-network", data="spirals", model="neural", rate=NETWORK, rows=1_000,
              epochs=20),
    TableBase(name="straight-network", data="straight", model="neural", rate=NETWORK, rows=1_000,
              epochs=10),
)  # fmt: skip
BASES = {base.name: base for base in TABLE_BASES}


def table_recipes() -> Iterator[Recipe]:
    """Yield every recipe of a table."""
    for base in TABLE_BASES:
        yield _recipe("healthy", base, TablePlant(), "plain", 1)
    for name, factor in HIGH:
        plant = TablePlant(rate=float(factor))
        yield _recipe("rate_too_high", BASES[name], plant, f"x{factor}", 3, SAME_AS_TOO_HIGH)
    for name in LOW:
        yield _recipe("rate_too_low", BASES[name], LOW_PLANT[BASES[name].model], "by-30", 4)
    for name, rows, epochs in OVERFIT:
        plant = TablePlant(rows=rows, epochs=epochs)
        yield _recipe("overfitting", BASES[name], plant, f"{rows}-rows", 5)
    for name in NOISY:
        yield _recipe("noisy_labels", BASES[name], TablePlant(noisy=0.2), "fifth", 7)
    for name, share in LEAKS:
        plant = TablePlant(leak=share)
        yield _recipe("leak", BASES[name], plant, f"{share * 100:g}-percent", 8)
    for name, rows in FEW_HELD_OUT:
        plant = TablePlant(held_out=rows)
        yield _recipe("small_validation", BASES[name], plant, f"{rows}-rows", 9)


HIGH = (
    ("census-trees", 30),
    ("friedman-trees", 30),
    ("shops-trees", 30),
    ("product-trees", 30),
    ("blobs-network", 100),
    ("friedman-network", 30),
    ("waves-network", 30),
    ("spirals-network", 30),
    ("shops-network", 100),
)
LOW = (
    *("census-trees", "friedman-trees", "shops-trees", "product-trees"),
    *("product-network", "friedman-network", "waves-network", "spirals-network", "blobs-network"),
    *("shops-network", "straight-network", "chances-network"),
)
LOW_PLANT = {
    "neural": TablePlant(rate=1 / 30),
    "trees": TablePlant(rate=1 / 30, epochs=100),
}
OVERFIT = (
    ("census-trees", 150, 400),
    ("late-trees", 200, 400),
    ("chances-trees", 200, 400),
    ("chances-network", 100, 60),
    ("blobs-network", 100, 60),
    ("late-network", 120, 60),
)
NOISY = ("rings-trees", "blobs-apart-network", "spirals-network", "product-network")
LEAKS = (
    ("census-trees", 1.0),
    ("late-trees", 1.0),
    ("fraud-trees", 0.995),
    ("hours-trees", 1.0),
    ("chances-network", 1.0),
    ("blobs-network", 0.99),
    ("shops-noisy-network", 1.0),
    ("chances-trees", 0.99),
)
FEW_HELD_OUT = (
    ("census-trees", 14),
    ("late-trees", 16),
    ("chances-trees", 12),
    ("shops-network", 10),
    ("blobs-network", 12),
    ("chances-network", 15),
)


def _recipe(
    cause: Cause,
    base: TableBase,
    plant: TablePlant,
    detail: str,
    seed: int,
    accepts: Mapping[str, str] | None = None,
) -> Recipe:
    return Recipe(
        name=f"table/{cause}/{base.name}-{detail}",
        cause=cause,
        kind="table",
        base=base.name,
        seed=seed,
        settings=TableSettings(base=base, plant=plant),
        accepts=accepts or {},
        needs=TABLE_NEEDS.get(base.data, ""),
    )
