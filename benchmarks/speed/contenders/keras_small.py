"""The small network in Keras on JAX, its training step compiled."""

from __future__ import annotations

import sys
from typing import Any

import jax
import keras
import numpy as np

from benchmarks.speed import data
from benchmarks.speed.data import Spec
from benchmarks.speed.gate import Gate


class Ticks(keras.callbacks.Callback):
    """Counts epochs: a callback after each batch would make Keras wait for every loss."""

    def __init__(self, gate: Gate, steps_per_epoch: int) -> None:
        super().__init__()
        self.gate, self.steps_per_epoch = gate, steps_per_epoch

    def on_epoch_end(self, *_: Any, **__: Any) -> None:
        self.gate.tick(self.steps_per_epoch)


def fit(spec: Spec, gate: Gate) -> None:
    """Train by `fit` on arrays. spec: `steps_per_execution`, Keras's own option."""
    x_NF, y_N1 = data.regression(spec)
    model = _model(spec)
    optimizer = keras.optimizers.AdamW(spec["rate"], weight_decay=spec["decay"])
    executed = spec.get("steps_per_execution", 1)
    model.compile(optimizer, "mse", jit_compile=True, steps_per_execution=executed)
    gate.facts = lambda: {
        "loss": float(
            np.mean(
                (model.predict(x_NF[: data.NUM_EVALUATED], verbose=0) - y_N1[: data.NUM_EVALUATED])
                ** 2
            )
        ),
        "updates": int(optimizer.iterations.value),
        "keras": keras.__version__,
        "jax": jax.__version__,
    }
    ticks = Ticks(gate, data.steps_per_epoch(spec))
    epochs = sys.maxsize
    model.fit(x_NF, y_N1, batch_size=spec["batch"], epochs=epochs, verbose=0, callbacks=[ticks])


def _model(spec: Spec) -> keras.Model:
    width = spec["width"]
    layers = [keras.layers.Dense(width, activation="relu") for _ in range(2)]
    model = keras.Sequential([keras.Input((spec["inputs"],)), *layers, keras.layers.Dense(1)])
    model.set_weights([array for pair in data.layers(spec) for array in pair])
    return model
