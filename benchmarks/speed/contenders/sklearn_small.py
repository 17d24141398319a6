"""The small network as scikit-learn's MLPRegressor (Adam; it has no AdamW)."""

from __future__ import annotations

import numpy as np
import sklearn
from sklearn.neural_network import MLPRegressor

from benchmarks.speed import data
from benchmarks.speed.data import Spec
from benchmarks.speed.gate import Gate


def fit(spec: Spec, gate: Gate) -> None:
    """Train whole epochs by `fit`, each going on from the one before."""
    x_NF, y_N1 = data.regression(spec)
    y_N = y_N1[:, 0]
    model = MLPRegressor(
        hidden_layer_sizes=(spec["width"], spec["width"]),
        batch_size=spec["batch"],
        learning_rate_init=spec["rate"],
        alpha=spec["decay"],
        random_state=spec["seed"],
        warm_start=True,
        tol=0.0,
        n_iter_no_change=10**9,
    )
    steps_per_epoch = data.steps_per_epoch(spec)

    def train(steps: int) -> int:
        epochs = -(-steps // steps_per_epoch)
        model.set_params(max_iter=epochs).fit(x_NF, y_N)
        return epochs * steps_per_epoch

    def facts() -> dict[str, object]:
        sample = slice(0, data.NUM_EVALUATED)
        loss = float(np.mean((model.predict(x_NF[sample]) - y_N[sample]) ** 2))
        return {"loss": loss, "scikit-learn": sklearn.__version__}

    gate.serve(train, facts)
