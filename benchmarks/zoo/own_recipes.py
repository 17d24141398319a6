"""The recipes of own modules: each cause planted in the bases that it can be seen in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from benchmarks.zoo.bases import OWN_BASES
from benchmarks.zoo.own import OwnBase, OwnSettings
from benchmarks.zoo.plants import Plant
from benchmarks.zoo.real import NEEDS
from benchmarks.zoo.recipe import Cause, Recipe

BASES = {base.name: base for base in OWN_BASES}

SAME_AS_TOO_HIGH = {
    "diverged": "a rate so far too high drives the loss away, and that is the name for it",
    "unstable": "a loss that swings up and down is what too high a rate looks like",
}
SAME_AS_SPIKE = {
    "diverged": "where the broken batches threw the weights off for good, that is what is seen",
    "unstable": "broken batches that come again each epoch make the loss swing",
}


def own_recipes() -> Iterator[Recipe]:
    """Yield every recipe of an own module."""
    yield from _healthy()
    yield from _rates()
    yield from _overfitting()
    yield from _underfitting()
    yield from _noisy_labels()
    yield from _leaks()
    yield from _small_validations()
    yield from _spikes()
    yield from _dead_units()
    yield from _plateaus()


def _recipe(
    cause: Cause,
    base: OwnBase,
    plant: Plant,
    detail: str,
    seed: int,
    accepts: Mapping[str, str] | None = None,
) -> Recipe:
    return Recipe(
        name=f"{base.kind}/{cause}/{base.name}-{detail}",
        cause=cause,
        kind=base.kind,  # type: ignore[arg-type]
        base=base.name,
        seed=seed,
        settings=OwnSettings(base=base, plant=plant),
        accepts=accepts or {},
        needs=NEEDS.get(base.data, ""),
    )


def _healthy() -> Iterator[Recipe]:
    """Yield each base as it is, and once more otherwise; some are left to find their own rate."""
    for number, base in enumerate(OWN_BASES):
        yield _recipe("healthy", base, Plant(), "plain", seed=1)
        detail, otherwise = OTHERWISE[number % len(OTHERWISE)]
        plant = replace(otherwise, epochs=base.epochs * 3 // 2) if otherwise.patience else otherwise
        yield _recipe("healthy", base, plant, detail, seed=2)
    for name in LEFT_TO_ITSELF:
        plain = _recipe("healthy", BASES[name], Plant(), "own-rate", seed=12)
        yield replace(plain, settings=replace(plain.settings, auto_rate=True))


OTHERWISE = (
    ("cosine", Plant(schedule="cosine")),
    ("stops-early", Plant(patience=3)),
    ("again", Plant()),
)
LEFT_TO_ITSELF = (
    *("adult-mlp", "digits-mlp", "bars-conv", "product-mlp", "blobs-mlp", "chances-mlp"),
    *("friedman-mlp", "series-gru"),
)


def _rates() -> Iterator[Recipe]:
    for name, factors in HIGH.items():
        for factor in factors:
            plant = Plant(rate=float(factor))
            yield _recipe("rate_too_high", BASES[name], plant, f"x{factor}", 3, SAME_AS_TOO_HIGH)
    for name in LOW:
        plant = Plant(rate=1 / 30)
        yield _recipe("rate_too_low", BASES[name], plant, "by-30", seed=4)


FACTOR = {
    "cancer-momentum": 100,  # ×30 is no worse: 380 rows are learned at any rate up to 1
    "diabetes-sgd": 100,  # a line in ten inputs bears ×30
    "spirals-tanh-adam": 100,  # ×30 still finds its way at last
    **dict.fromkeys(  # ×30 costs these a tenth of what is learned, which few would notice
        (
            *("adult-mlp", "adult-looked", "adult-hours-mlp", "flights-mlp", "digits-normed"),
            *("blobs-mlp", "blobs-many-normed", "chances-mlp", "chances-rare-mlp"),
            *(
                "product-mlp",
                "product-wide-gelu",
                "spirals-5-rmsprop",
                "waves-tanh",
                "straight-sgd",
                "heavy-huber",
            ),
            *("several-normed", "after-mark-gru", "majority-transformer", "series-gru"),
        ),
        100,
    ),
}
UNHARMED = ("spirals-mlp", "friedman-mlp", "friedman-noisy-dropout")  # ×100 still learns all
HIGH = {name: (FACTOR.get(name, 30),) for name in BASES if name not in UNHARMED}
NEARLY_THERE = ("blobs-apart-sgd", "majority-transformer")  # so easy that 1/30 comes close
LOW = tuple(name for name in BASES if name not in NEARLY_THERE)


def _overfitting() -> Iterator[Recipe]:
    """Yield large networks that see few rows very often, measured on many others."""
    for name, (rows, network) in OVERFIT.items():
        plant = Plant(rows=rows, network=network, epochs=60, weight_decay=0.0)
        yield _recipe("overfitting", BASES[name], plant, f"{rows}-rows", seed=5)


OVERFIT = {
    "adult-mlp": (150, "mlp 256 256"),
    "adult-hours-mlp": (150, "mlp 256 256"),
    "flights-mlp": (200, "mlp 256 256"),
    "cells-conv": (120, "conv 24 24"),
    "bars-hard-conv": (120, "conv 24 24"),
    "product-mlp": (150, "mlp 256 256"),
    "product-wide-gelu": (200, "gelu 256"),
    "blobs-mlp": (100, "mlp 256"),
    "blobs-many-normed": (200, "mlp 256 256"),
    "chances-mlp": (200, "mlp 256 256"),
    "chances-hard-momentum": (200, "mlp 256 256"),
    "chances-rare-mlp": (300, "mlp 256 256"),
    "friedman-noisy-dropout": (120, "mlp 256 256"),
    "next-word-gru": (300, "gru 48"),
    "ratings-made-factors": (2_000, "factors 24"),
}


def _underfitting() -> Iterator[Recipe]:
    """Yield networks that are too simple, and some that weight decay or dropout holds back."""
    for name, network in TOO_SIMPLE.items():
        plant = Plant(network=network)
        yield _recipe("underfitting", BASES[name], plant, network.replace(" ", "-"), seed=6)
    for name, decay in HELD_BACK.items():
        plant = Plant(weight_decay=decay)
        yield _recipe("underfitting", BASES[name], plant, f"decay-{decay:g}", seed=6)
    for name, network in LEFT_OUT.items():
        plant = Plant(network=network)
        yield _recipe("underfitting", BASES[name], plant, network.replace(" ", "-"), seed=6)


TOO_SIMPLE = {
    "digits-mlp": "tanh 2",
    "digits-again-mlp": "tanh 2",
    "bars-conv": "linear",
    "bars-hard-conv": "linear",
    "product-mlp": "linear",
    "product-wide-gelu": "linear",
    "spirals-mlp": "linear",
    "spirals-5-rmsprop": "tanh 2",
    "rings-momentum": "linear",
    "friedman-mlp": "linear",
    "waves-tanh": "linear",
    "heavy-huber": "linear",
    "spirals-tanh-adam": "tanh 1",
}
HELD_BACK = {
    "digits-mlp": 30.0,
    "blobs-mlp": 100.0,
    "product-mlp": 30.0,
    "friedman-mlp": 30.0,
    "adult-mlp": 50.0,
    "spirals-mlp": 20.0,
    "waves-tanh": 20.0,
    "digits-conv": 1.0,
}
LEFT_OUT = {
    "digits-mlp": "dropout 97 64",
    "friedman-mlp": "dropout 95 48",
    "blobs-mlp": "dropout 97 32",
    "rings-momentum": "dropout 95 32",
}


def _noisy_labels() -> Iterator[Recipe]:
    for name in NOISY:
        yield _recipe("noisy_labels", BASES[name], Plant(noisy=0.2), "fifth", seed=7)


NOISY = (
    *("digits-mlp", "digits-conv", "digits-conv-momentum", "digits-normed", "bars-conv"),
    *("product-mlp", "product-wide-gelu", "spirals-mlp", "spirals-tanh-adam"),
    *("spirals-5-rmsprop", "rings-momentum", "blobs-apart-sgd", "after-mark-gru"),
    *("majority-transformer", "friedman-mlp", "waves-tanh", "series-gru"),
)
"""Trainings whose targets are clean otherwise: else a fifth more of noise is no news."""


def _leaks() -> Iterator[Recipe]:
    for name, off in LEAKS.items():
        plant = Plant(leak=off)
        yield _recipe("leak", BASES[name], plant, f"off-by-{off:g}", seed=8)


LEAKS = {
    "adult-mlp": 0.0,
    "adult-looked": 0.02,
    "adult-hours-mlp": 0.0,
    "flights-mlp": 0.05,
    "flights-linear-sgd": 0.0,
    "fraud-mlp": 0.02,
    "cells-conv": 0.0,
    "bars-hard-conv": 0.0,
    "blobs-mlp": 0.0,
    "chances-mlp": 0.0,
    "chances-hard-momentum": 0.05,
    "chances-rare-mlp": 0.01,
    "friedman-noisy-dropout": 0.01,
    "heavy-huber": 0.0,
}


def _small_validations() -> Iterator[Recipe]:
    for name, rows in FEW_HELD_OUT.items():
        plant = Plant(held_out=rows)
        yield _recipe("small_validation", BASES[name], plant, f"{rows}-rows", seed=9)


FEW_HELD_OUT = {
    "adult-mlp": 12,
    "adult-hours-mlp": 10,
    "flights-mlp": 15,
    "ratings-factors": 14,
    "digits-mlp": 12,
    "digits-conv": 15,
    "cells-conv": 14,
    "product-mlp": 10,
    "blobs-mlp": 10,
    "chances-mlp": 12,
    "chances-hard-momentum": 16,
    "friedman-noisy-dropout": 8,
    "straight-sgd": 10,
    "next-word-gru": 12,
}


def _spikes() -> Iterator[Recipe]:
    for name, spike in SPIKES:
        plant = Plant(spike=spike)  # type: ignore[arg-type]
        yield _recipe("spike", BASES[name], plant, spike, seed=10, accepts=SAME_AS_SPIKE)


SPIKES = (
    ("adult-mlp", "rows"),
    ("flights-mlp", "rows"),
    ("product-mlp", "rows"),
    ("chances-mlp", "rows"),
    ("friedman-mlp", "rows"),
    ("heavy-huber", "rows"),
    ("digits-conv", "batches"),
    ("blobs-mlp", "batches"),
    ("rings-momentum", "batches"),
    ("straight-sgd", "targets"),
    ("adult-hours-mlp", "targets"),
    ("series-gru", "targets"),
    ("digits-mlp", "once"),
    ("bars-conv", "once"),
    ("blobs-many-normed", "once"),
    ("chances-hard-momentum", "once"),
    ("friedman-mlp", "once"),
    ("adult-mlp", "once"),
    ("straight-sgd", "once"),
    ("digits-normed", "once"),
    ("series-gru", "once"),
    ("waves-tanh", "once"),
    ("heavy-huber", "targets"),
    ("digits-mlp", "rows"),
    ("blobs-mlp", "rows"),
)


def _dead_units() -> Iterator[Recipe]:
    for name, share in DEAD.items():
        plant = Plant(dead=share)
        yield _recipe("dead_units", BASES[name], plant, f"{share * 100:.0f}-percent", seed=11)


DEAD = {
    "adult-mlp": 0.9,
    "flights-mlp": 0.95,
    "fraud-mlp": 0.9,
    "digits-mlp": 0.95,
    "digits-conv": 0.85,
    "digits-conv-momentum": 0.85,
    "cells-conv": 0.8,
    "bars-conv": 0.75,
    "product-mlp": 0.9,
    "spirals-mlp": 0.85,
    "rings-momentum": 0.9,
    "blobs-mlp": 0.9,
    "chances-mlp": 0.9,
    "friedman-mlp": 0.9,
    "heavy-huber": 0.9,
}


def _plateaus() -> Iterator[Recipe]:
    """Yield trainings that go on for many times as long as they get better."""
    for name, network, times in LONG:
        base = BASES[name]
        plant = Plant(epochs=base.epochs * times, network=network or None)
        detail = f"{network or 'as-it-is'}-{times}-times"
        yield _recipe("plateau", base, plant, detail, 13, SAME_AS_PLATEAU)


LONG = (
    ("spirals-mlp", "", 6),
    ("spirals-tanh-adam", "", 6),
    ("straight-sgd", "", 12),
    ("ratings-made-factors", "", 6),
    ("chances-mlp", "linear", 10),
    ("digits-conv-momentum", "", 6),
    ("friedman-mlp", "", 6),
    ("majority-transformer", "", 5),
)
"""Trainings that go on for so many times as many epochs: those that neither lose again what they
learned nor go on learning by heart."""

SAME_AS_PLATEAU = {
    "overfitting": "what stands still for so long may come to learn by heart in the end",
}
