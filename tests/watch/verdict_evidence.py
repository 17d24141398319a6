"""Evidence of a sound training, of which a test spoils one thing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from treadle.watch.evidence import Curve, Evidence, Jumps, Probe, Seen, Windows

ROWS = 400
CONSTANT = 0.7


def around(mean: float, seed: int = 0, spread: float = 0.1) -> Any:
    """Return the losses of rows, float64 [M], of just that mean: what is easy stays easy."""
    values = np.random.default_rng(seed).normal(0.0, spread, ROWS)
    return mean + values - values.mean()


def windows(*levels: float) -> Windows:
    """Return 40 windows: each level for as long as the others, and a little scatter."""
    mean = np.repeat(levels, 40 // len(levels)) + np.tile([0.004, -0.004], 20)
    return Windows(batches=np.ones(40), mean=mean, spread=np.full(40, 0.01), highest=mean + 0.05)


def jumps(*rows: tuple[float, float, float, float]) -> Jumps:
    """Return jumps of the loss: (step, usual, loss, after)."""
    step, usual, loss, after = np.array(rows, dtype=np.float64).reshape(-1, 4).T
    return Jumps(step=step, usual=usual, loss=loss, after=after)


def seen(train: float, held_out: float, spread: float = 0.1, **more: Any) -> Seen:
    """Return what a classifier of two classes does: one of ten wrong, where it is unsure."""
    missed = np.zeros(ROWS)
    missed[-ROWS // 10 :] = 1.0
    told: dict[str, Any] = {
        "train": around(train),
        "held_out": around(held_out, spread=spread),
        "missed": missed,
        "sureness": np.linspace(1.0, 0.5, ROWS),
        "classes": 2,
        "silent": {"1": (32, 2)},
    }
    return Seen(**told | more)


def probe(factor: float, held_out: float, **more: Any) -> Probe:
    """Return a trial; `steps`, `falls` and `free` as the trials that are made have them."""
    told: dict[str, Any] = {"steps": 20 if factor > 1 else 10, "falls": factor > 1}
    loss = around(held_out)
    return Probe(factor=factor, train=loss, held_out=loss, **told | more)


def sound(**changed: Any) -> Evidence:
    """Return the evidence of a sound training, but for what is changed."""
    steps = np.arange(1, 11) * 40.0
    evidence = Evidence(
        step=400,
        steps_per_epoch=40,
        rows=4_000,
        held_out_rows=ROWS,
        curve=Curve(
            steps=steps, train=np.linspace(0.6, 0.2, 10), held_out=np.linspace(0.6, 0.25, 10)
        ),
        windows=windows(0.6, 0.35, 0.25, 0.2),
        jumps=jumps(),
        best_step=400,
        first_silent={"1": (32, 1)},
        last=seen(0.2, 0.25),
        best=seen(0.2, 0.25),
        constant=around(CONSTANT),
        constant_missed=np.tile([0.0, 1.0], ROWS // 2),
        other=np.tile([0.0, 0.0, 0.0, 0.0, 1.0], ROWS // 5),
        probes=(probe(0.1, 0.249), probe(10.0, 0.3)),
    )
    return replace(evidence, **changed)
