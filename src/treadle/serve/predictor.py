"""From a model folder to predictions: nothing of training is needed, and nothing is unpickled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from treadle.contracts import Json
from treadle.errors import RunError


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

    Raises: RunError when there is none, or a newer Treadle wrote it.
    """
    facts = read_facts(folder)
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
    try:
        facts = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        own = (folder / "weights.safetensors").exists()
        raise RunError(
            f"there is no model at {folder} that predicts by itself.",
            "It is a module of your own: treadle.load(run, module=…).predict(data)."
            if own
            else "The run was not finished: treadle resume it first.",
        ) from None
    except (OSError, ValueError) as error:
        raise RunError(f"{folder / 'model.json'} cannot be read: {error}.") from error
    if not isinstance(facts, dict) or facts.get("format") != 1:
        raise RunError(
            f"{folder / 'model.json'} has a format this Treadle does not know.",
            "A newer Treadle wrote it: pip install --upgrade treadle",
        )
    return facts
