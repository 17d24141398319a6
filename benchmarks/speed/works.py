"""What is measured: the works, who takes part in each, and the bars that Treadle must meet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from treadle.contracts import Layout, mix

Environment = Literal["own", "peers"]


@dataclass(frozen=True, kw_only=True)
class Contender:
    """Who takes part.

    place:  MODULE:NAME in benchmarks/speed/contenders
    rounds: after how many rounds it may go home, for one that takes very long
    """

    name: str
    place: str
    environment: Environment = "peers"
    options: Mapping[str, Any] = field(default_factory=dict)
    rounds: int | None = None


@dataclass(frozen=True, kw_only=True)
class Bar:
    """`ours` must take at most `limit` times what `peer` takes, or `limit` µs without a peer.

    instead: who stands for `ours` while it is absent; the row says so
    """

    ours: str
    peer: str | None
    limit: float
    instead: str | None = None


@dataclass(frozen=True, kw_only=True)
class Work:
    """One thing to measure.

    group:        what `--only` calls it
    spec:         what every contender builds
    unit:         the word for a step
    turn_seconds: about how long one contender trains at a time; None is one step, whatever it is
    note:         a sentence under its table
    """

    key: str
    group: str
    title: str
    spec: Mapping[str, Any]
    contenders: tuple[Contender, ...]
    bars: tuple[Bar, ...] = ()
    unit: str = "step"
    turn_seconds: float | None = 0.8
    rounds: int | None = None
    note: str = ""


def torch_peer(name: str, function: str, **options: Any) -> Contender:
    return Contender(name=name, place=f"torch_small:{function}", options=options)


def ours(place: str, **options: Any) -> tuple[Contender, Contender]:
    """Return Treadle with its engine pinned: compiled, then eager."""
    engines = "compiled", "eager"
    compiled, eager = (
        Contender(
            name=f"Treadle, {engine}",
            place=place,
            environment="own",
            options={"engine": engine} | options,
        )
        for engine in engines
    )
    return compiled, eager


COMPILED, EAGER = ours("treadle_small:small")
PRODUCTS = Contender(
    name="its matrix products alone, torch.mm",
    place="roofline:products",
    options={"library": "torch.mm"},
)
ONEDNN = replace(PRODUCTS, name="its matrix products alone, oneDNN", options={"library": "oneDNN"})
HAND = torch_peer("torch loop by hand", "loop")
FUSED = torch_peer("torch loop by hand, fused AdamW", "loop", fused=True)
CAPTURED = torch_peer("torch.compile of the whole step by hand", "captured")
DATALOADER = torch_peer("torch with DataLoader", "dataloader")
LIGHTNING = Contender(name="Lightning", place="lightning_small:trainer")
TRAINER = Contender(name="HF Trainer", place="hf_trainer:small")
TRAINER_COMPILED = replace(
    TRAINER, name="HF Trainer, torch_compile", options={"torch_compile": True}
)
KERAS = Contender(name="Keras on JAX", place="keras_small:fit")
KERAS_32 = replace(
    KERAS, name="Keras on JAX, 32 steps an execution", options={"steps_per_execution": 32}
)
SKLEARN = Contender(name="scikit-learn's MLP", place="sklearn_small:fit")


def bar(peer: Contender, limit: float) -> Bar:
    return Bar(ours=COMPILED.name, peer=peer.name, limit=limit, instead=EAGER.name)


def network_spec(**changed: Any) -> dict[str, Any]:
    """Return the spec of the small network, with `changed`."""
    seed = 7
    spec: dict[str, Any] = {
        "rows": 100_000,
        "inputs": 32,
        "width": 128,
        "batch": 256,
        "rate": 1e-3,
        "decay": 0.01,
        "seed": seed,
        "epoch_seeds": [mix(seed, epoch) for epoch in range(64)],
    } | changed
    # a whole epoch, so that its short last batch is compiled for as well
    return {"warm_steps": min(1000, -(-spec["rows"] // spec["batch"])) + 10} | spec


def small() -> Work:
    peers = (CAPTURED, HAND, FUSED, KERAS, KERAS_32, SKLEARN, DATALOADER)
    return Work(
        key="small",
        group="small",
        title="Small network: 32→128→128→1, batch 256, 100,000 rows in memory, AdamW",
        spec=network_spec(),
        contenders=(
            COMPILED,
            EAGER,
            PRODUCTS,
            ONEDNN,
            *peers,
            LIGHTNING,
            TRAINER,
            TRAINER_COMPILED,
        ),
        bars=(
            bar(HAND, 0.50),
            bar(FUSED, 0.65),
            bar(LIGHTNING, 0.15),
            bar(TRAINER, 0.11),
            bar(KERAS, 0.55),
            bar(PRODUCTS, 2.0),
            bar(ONEDNN, 2.0),
        ),
        note="scikit-learn has Adam, not AdamW. Lightning, the Trainer and the DataLoader fetch "
        "row by row, as they do unless told otherwise. Clipping, logging, saving and progress "
        "bars are switched off for all.",
    )


def width() -> Work:
    return Work(
        key="width-1024",
        group="width",
        title="The same at width 1024: 32→1024→1024→1",
        spec=network_spec(width=1024, rows=20_000),
        contenders=(COMPILED, EAGER, PRODUCTS, ONEDNN, CAPTURED, HAND, FUSED, KERAS),
        bars=(bar(PRODUCTS, 1.25), bar(ONEDNN, 1.25)),
    )


def loop_alone() -> Work:
    alone = Contender(name="Treadle's loop", place="treadle_small:loop_alone", environment="own")
    return Work(
        key="loop",
        group="loop",
        title="The loop's own cost: a step that does nothing, batches ready",
        spec={"warm_steps": 1000},
        contenders=(alone,),
        bars=(Bar(ours=alone.name, peer=None, limit=3.0),),
    )


def gpt() -> Work:
    script = Contender(name="torch.compile script by hand", place="gpt_torch:script")
    eager = replace(
        script, name="the same script without torch.compile", options={"compile": False}
    )
    trainer = Contender(name="HF Trainer", place="gpt_torch:trainer")
    compiled = replace(trainer, name="HF Trainer, torch_compile", options={"torch_compile": True})
    seed = 11
    return Work(
        key="gpt",
        group="gpt",
        title="Character GPT: 6 layers, 384 wide, 6 heads, context 256, 65 characters, batch 4",
        spec={
            "layers": 6,
            "width": 384,
            "heads": 6,
            "context": 256,
            "alphabet": 65,
            "batch": 4,
            "rows": 4096,
            "rate": 3e-4,
            "decay": 0.1,
            "fused": True,
            "seed": seed,
            "epoch_seeds": [mix(seed, epoch) for epoch in range(16)],
            "warm_steps": 3,
        },
        contenders=(*ours("gpt_treadle:characters"), script, eager, trainer, compiled),
        bars=(bar(script, 1.03), bar(trainer, 0.9)),
        turn_seconds=2.0,
        note="Characters are drawn from a seed; 10.8 million parameters, fused AdamW for all.",
    )


def embedding() -> Work:
    dense = Contender(
        name="torch loop by hand, dense Adam", place="embedding:loop", options={"sparse": False}
    )
    sparse = replace(dense, name="torch loop by hand, SparseAdam", options={"sparse": True})
    rowwise = Contender(
        name="Treadle, row-wise",
        place="embedding_treadle:rowwise",
        environment="own",
        options={"engine": "eager"},
    )
    turned = Contender(
        name="Treadle, eager, SparseAdam",
        place="embedding_treadle:sparse",
        environment="own",
        options={"engine": "eager"},
    )
    return Work(
        key="embedding",
        group="embedding",
        title="Embedding table 1,000,000 × 64, batch 4096, one linear layer on it",
        spec={
            "identities": 1_000_000,
            "width": 64,
            "rows": 1_000_000,
            "batch": 4096,
            "rate": 1e-3,
            "seed": 5,
            "warm_steps": 3,
        },
        contenders=(rowwise, turned, dense, sparse),
        bars=(
            Bar(ours=rowwise.name, peer=dense.name, limit=1 / 40),
            Bar(ours=rowwise.name, peer=sparse.name, limit=0.7),
        ),
        note="A bar of 0.025 is 40 times as fast.",
    )


def trees(path: Path | None) -> Work:
    from treadle.models.tree_settings import TreeSettings

    rows = 300_000
    layout = Layout(num_numbers=113, cardinalities=(9,) * 5, task="two_classes", num_outputs=1)
    treadle = Contender(name="Treadle's trees", place="trees_treadle:rounds", environment="own")
    lightgbm = Contender(name="LightGBM, equal parameters", place="trees:lightgbm")
    catboost = Contender(name="CatBoost, equal rounds and leaves", place="trees:catboost", rounds=2)
    made = " (made data: ieee-cis is not on this disk)" if path is None else ""
    return Work(
        key="trees",
        group="trees",
        title=f"Trees on ieee-cis, first 300,000 rows, 100 rounds{made}",
        spec={
            "path": None if path is None else str(path),
            "target": "isFraud",
            "ignored": ["TransactionID", "TransactionDT"],
            "rows": rows,
            "rounds": 100,
            "seed": 3,
            "parameters": TreeSettings.for_table(rows, layout).parameters(),
            "warm_steps": 1,
        },
        contenders=(treadle, lightgbm, catboost),
        bars=(Bar(ours=treadle.name, peer=lightgbm.name, limit=1.03),),
        unit="fit",
        turn_seconds=None,
        note="From arrays in memory to the last tree, binning the columns included. CatBoost keeps "
        "its own defaults otherwise; it took part in two rounds.",
    )


GROWTH: dict[str, tuple[int, ...]] = {
    "rows": (10_000, 100_000, 1_000_000, 10_000_000),
    "width": (32, 128, 512, 2048),
    "batch": (32, 256, 2048, 8192),
}


def growth(quick: bool) -> list[Work]:
    """Return one work for each size: Treadle beside the loop by hand, all else as in `small`."""
    return [
        Work(
            key=f"growth-{axis}-{size}",
            group="growth",
            title=f"Small network, {axis} {size:,}",
            spec=network_spec(**{axis: size}, warm_steps=60),
            contenders=(COMPILED, EAGER, HAND),
            turn_seconds=0.5,
            rounds=3,
        )
        for axis, sizes in GROWTH.items()
        for size in (sizes[:2] if quick else sizes)
    ]


def all_works(data: Path | None, *, quick: bool) -> list[Work]:
    """Return every work in the order they are measured. data: a folder of data sets, or None."""
    table = data / "ieee-cis" / "ieee-cis.parquet" if data else None
    makers: tuple[Callable[[], Work], ...] = (
        small,
        width,
        loop_alone,
        gpt,
        embedding,
        lambda: trees(table if table and table.exists() else None),
    )
    return [*(make() for make in makers), *growth(quick)]
