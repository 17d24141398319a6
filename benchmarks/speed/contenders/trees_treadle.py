"""Boosted trees turned by Treadle's loop: a round a step of the loop, here a fit a step."""

from __future__ import annotations

import torch

import treadle
from benchmarks.speed.contenders import tree_data
from benchmarks.speed.contenders.trees import log_loss
from benchmarks.speed.data import Spec
from benchmarks.speed.gate import Gate
from treadle.contracts import Batch, Layout
from treadle.data.batches import WholeSource
from treadle.loop.loop import turn
from treadle.loop.state import TrainState
from treadle.loop.until import steps as until_steps
from treadle.models.boosting import BoostingRound
from treadle.models.tree_settings import TreeSettings
from treadle.models.trees import Trees


def rounds(spec: Spec, gate: Gate) -> None:
    """Grow `rounds` rounds of trees, from binning the columns to the last block."""
    torch.set_num_threads(spec["threads"])
    table = tree_data.table(spec)
    batch: Batch = {
        "numbers": torch.from_numpy(table.numbers),
        "categories": torch.from_numpy(table.categories),
        "target": torch.from_numpy(table.target).long(),
    }
    layout = Layout(
        num_numbers=table.numbers.shape[1],
        cardinalities=table.cardinalities,
        task="two_classes",
        num_outputs=1,
    )
    known = TreeSettings.model_fields
    settings = TreeSettings(**{k: v for k, v in spec["parameters"].items() if k in known})
    found: list[Trees] = []

    def train(steps: int) -> None:
        for _ in range(steps):
            trees = Trees(layout)
            step = BoostingRound(
                trees, batch, None, layout, settings, spec["seed"], spec["threads"]
            )
            turn(
                TrainState(model=trees), WholeSource(batch), step, until=until_steps(spec["rounds"])
            )
            found[:] = [trees]

    def facts() -> dict[str, object]:
        probabilities = found[0].predict(batch)[:, 1].numpy()
        return {"loss": log_loss(probabilities, table.target), "treadle": treadle.__version__}

    gate.serve(train, facts)
