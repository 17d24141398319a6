"""From a model folder to predictions: nothing of training is needed, and nothing is unpickled."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import polars as pl

from treadle.contracts import Json
from treadle.errors import RunError
from treadle.folder import RunFolder
from treadle.serve.unchanged import as_written


class Predictor(Protocol):
    """Predicts new rows, in their order.

    columns_as_text: columns that must be read exactly as they are written
    columns_learned: columns that the answer is made from
    """

    columns_as_text: list[str]
    columns_learned: list[str]

    def predict(self, data: Any) -> pl.DataFrame:
        """Return the rows of `data` with what is predicted beside them.

        Rows that cannot be scored are there too, empty, with the reason in `problem`.
        """
        ...


def load_predictor(folder: Path) -> Predictor:
    """Return the predictor of a model folder.

    Anybody may have written the folder: it holds JSON and tensors, both are checked, and what
    does not fit together is refused.

    Raises: RunError when there is none, a newer Treadle wrote it, or it was changed.
    """
    facts = read_facts(folder)
    return as_written(folder, lambda: _predictor(folder, facts))


def _predictor(folder: Path, facts: Json) -> Predictor:
    if facts["kind"] == "table":
        from treadle.serve.table_predictor import TablePredictor

        return TablePredictor(folder, facts)
    if facts["kind"] == "images":
        from treadle.serve.image_predictor import ImagePredictor

        return ImagePredictor(folder, facts)
    if facts["kind"] == "events":
        from treadle.serve.event_predictor import EventPredictor

        return EventPredictor(folder, facts)
    raise RunError(
        f"{folder} holds a model of the kind '{facts['kind']}', which cannot predict by itself.",
        "For a module of your own: treadle.load(run, module=…).predict(data).",
    )


def read_facts(folder: Path) -> Json:
    """Return model.json. Raises: RunError."""
    facts = RunFolder(folder).read_json("model.json")
    if facts is None:
        own = (folder / "weights.safetensors").exists()
        raise RunError(
            f"there is no model at {folder} that predicts by itself.",
            "It is a module of your own: treadle.load(run, module=…).predict(data)."
            if own
            else "The run was not finished: treadle resume it first.",
        )
    if facts.get("format") != 1:
        raise RunError(
            f"{folder / 'model.json'} has a format this Treadle does not know.",
            "A newer Treadle wrote it: pip install --upgrade treadle",
        )
    if not isinstance(facts.get("kind"), str):
        raise RunError(f"{folder / 'model.json'} does not say what kind of data it is for.")
    return facts
