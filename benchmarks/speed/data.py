"""What every contender trains on: the same numbers from the same seed, wherever they are made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Spec = Mapping[str, Any]
NUM_EVALUATED = 4096


def regression(spec: Spec) -> tuple[Floats, Floats]:
    """Return x float32 [N, F] and y float32 [N, 1], a smooth function of x with noise."""
    draw = np.random.default_rng(spec["seed"])
    x_NF = draw.standard_normal((spec["rows"], spec["inputs"]), dtype=np.float32)
    y_N = np.sin(x_NF[:, 0]) + x_NF[:, 1] * x_NF[:, 2] + 0.5 * x_NF[:, 3]
    y_N += 0.1 * draw.standard_normal(spec["rows"], dtype=np.float32)
    return x_NF, y_N[:, None].astype(np.float32)


def sizes(spec: Spec) -> list[tuple[int, int]]:
    """Return (inputs, outputs) of each layer of the small network."""
    width = spec["width"]
    return [(spec["inputs"], width), (width, width), (width, 1)]


def layers(spec: Spec) -> list[tuple[Floats, Floats]]:
    """Return the first weights: (weight float32 [in, out], bias float32 [out]) of each layer."""
    draw = np.random.default_rng(spec["seed"] + 1)
    found = []
    for inputs, outputs in sizes(spec):
        bound = inputs**-0.5
        weight = draw.uniform(-bound, bound, (inputs, outputs)).astype(np.float32)
        found.append((weight, draw.uniform(-bound, bound, outputs).astype(np.float32)))
    return found


def steps_per_epoch(spec: Spec) -> int:
    return -(-int(spec["rows"]) // int(spec["batch"]))
