"""Suggesting the next items to users, from a log of what they did."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
from safetensors.torch import load_file

from treadle.contracts import Json
from treadle.data.events import EventEncoder, EventLog
from treadle.data.events_windows import latest_cases
from treadle.data.frames import to_frame
from treadle.models.item_baselines import DecayedTransitions, Ease, RecentPopularity
from treadle.models.ranking import Cases, top_items
from treadle.models.recommender import Recommender, RecommenderConfig
from treadle.models.recommender_blend import RecommenderBlend


class EventPredictor:
    """The model of a log: the catalogue, and the blend that scores it."""

    def __init__(self, folder: Path, facts: Json) -> None:
        self.encoder = EventEncoder.model_validate(facts["encoder"])
        self.columns_as_text = [self.encoder.columns.user, self.encoder.columns.item]
        self.columns_learned = [*self.columns_as_text, self.encoder.columns.time]
        count = len(self.encoder.items)
        self.scorer = RecommenderBlend(
            Recommender(RecommenderConfig.model_validate(facts["network"])),
            DecayedTransitions(count, **facts["transitions"]),
            Ease(count),
            RecentPopularity(count),
        )
        self.scorer.load_state_dict(load_file(folder / "blend.safetensors"))
        self.scorer.eval()

    def predict(self, data: Any, *, top: int = 10) -> pl.DataFrame:
        """Return `user, rank, item, score`: for each user of a log, the `top` best unseen items.

        A user of whom no item is known gets what is popular, and a word in `problem`.

        Raises: DataError when the log lacks a column.
        """
        columns = self.encoder.columns
        log = EventLog.read(to_frame(data), **columns.model_dump())
        encoded = self.encoder.encode(log)
        cases = Cases(**latest_cases(encoded))
        codes, scores = top_items(self.scorer, cases, k=top)
        known = (cases.end > cases.start).tolist()
        rows = [
            {
                "user": user,
                "rank": rank + 1,
                "item": name,
                "score": float(score),
                "problem": None if known[i] else "nothing this user did is known to the model",
            }
            for i, user in enumerate(encoded.user_names)
            for rank, (name, score) in enumerate(
                zip(self.encoder.item_names(codes[i]), scores[i], strict=True)
            )
            if name is not None
        ]
        schema = {
            "user": pl.String,
            "rank": pl.Int64,
            "item": pl.String,
            "score": pl.Float64,
            "problem": pl.String,
        }
        found = pl.DataFrame(rows, schema=schema)
        return found if found["problem"].is_not_null().any() else found.drop("problem")
