"""Suggesting the next items to users, from a log of what they did."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import Field
from torch import Tensor

from treadle.contracts import Frozen, Json
from treadle.data.events import EventEncoder, EventLog
from treadle.data.events_columns import EventColumns
from treadle.data.events_windows import latest_cases
from treadle.data.frames import to_frame
from treadle.errors import DataError, OptionError, did_you_mean
from treadle.models.item_baselines import DecayedTransitions, Ease, RecentPopularity
from treadle.models.ranking import Cases, top_items
from treadle.models.recommender import Recommender, RecommenderConfig
from treadle.models.recommender_blend import RecommenderBlend
from treadle.serve.event_reasons import EventReasons, because
from treadle.serve.reasons import FIRST_FEW, check_count, reason_names, tell_how_long
from treadle.tensors import read_tensors


class _Transitions(Frozen):
    """How far, and how much less with each event, a transition counts."""

    decay: float = Field(ge=0, le=1)
    reach: int = Field(ge=1, le=10_000)


class EventPredictor:
    """The model of a log: the catalogue, and the blend that scores it."""

    def __init__(self, folder: Path, facts: Json) -> None:
        self.encoder = EventEncoder.model_validate(facts["encoder"])
        self.columns_as_text = [self.encoder.columns.user, self.encoder.columns.item]
        self.columns_learned = [*self.columns_as_text, self.encoder.columns.time]
        count = len(self.encoder.items)
        network = RecommenderConfig.model_validate(facts["network"])
        if (network.num_items, network.num_kinds) != (count, len(self.encoder.kinds)):
            raise ValueError("its network knows another number of items or kinds of events")
        transitions = _Transitions.model_validate(facts["transitions"])
        self.scorer = RecommenderBlend(
            Recommender(network),
            DecayedTransitions(count, **transitions.model_dump()),
            Ease(count),
            RecentPopularity(count),
        )
        self.scorer.load_state_dict(read_tensors(folder / "blend.safetensors", finite=True))
        self.scorer.eval()
        self.titles = _titles(facts.get("titles"), self.encoder.items)

    def predict(self, data: Any, *, top: int = 10, reasons: int = 0) -> pl.DataFrame:
        """Return `user, rank, item, score`: for each user of a log, the `top` best unseen items.

        Where it is known what items are called, `title` stands beside the item. A user of whom no
        item is known gets what is popular, and one of whom no row is whole nothing; a word in
        `problem` says so.

        reasons: how many items of the past are named for each suggestion, in `reason_1` …

        Raises: DataError when the log lacks a column, has no rows, or times that are none;
        OptionError where fewer than one suggestion is asked for.
        """
        return self.answer(data, top=top, reasons=reasons)[0]

    def answer(
        self,
        data: Any,
        *,
        top: int = 10,
        reasons: int = 0,
        tell: Callable[[str], None] = lambda words: None,
    ) -> tuple[pl.DataFrame, list[str]]:
        """Return what `predict` does, and what must be said of it.

        tell: hears how long reasons take, before they are done
        """
        check_count(reasons)
        if top < 1:
            raise OptionError(f"{top} suggestions were asked for.", "Ask for one or more.")
        columns = self.encoder.columns
        frame = to_frame(data)
        _check_columns(columns, frame.columns)
        log = EventLog.read(frame, **columns.model_dump())
        if not log.frame.height and not log.lost_users:
            raise DataError(
                "the log has no rows that name a user.",
                f"Expected rows with '{columns.user}', '{columns.item}' and '{columns.time}'.",
            )
        rows = self._suggested(log, top, reasons, tell) if log.frame.height else []
        rows += [{"user": user, "problem": _NOT_WHOLE} for user in log.lost_users]
        schema = {name: kind for name, kind in _SCHEMA.items() if name != "problem"}
        schema |= dict.fromkeys((*reason_names(reasons), "problem"), pl.String)
        found = pl.DataFrame(rows, schema=schema)
        found = found if found["problem"].is_not_null().any() else found.drop("problem")
        if self.titles:
            named = found["item"].replace_strict(self.titles, default=None, return_dtype=pl.String)
            found.insert_column(found.get_column_index("item") + 1, named.alias("title"))
        return found, [*log.notes, *self._unknown(log)]

    def _suggested(
        self, log: EventLog, top: int, reasons: int, tell: Callable[[str], None]
    ) -> list[Json]:
        encoded = self.encoder.encode(log)
        cases = Cases(**latest_cases(encoded))
        codes, scores = top_items(self.scorer, cases, k=top)
        known = (cases.end > cases.start).tolist()
        told = self._reasons(cases, codes, reasons, tell) if reasons else None
        return [
            {
                "user": user,
                "rank": rank + 1,
                "item": name,
                "score": float(score),
                "problem": None if known[i] else _NOTHING_KNOWN,
                **(told[i][rank] if told else {}),
            }
            for i, user in enumerate(encoded.user_names)
            for rank, (name, score) in enumerate(
                zip(self.encoder.item_names(codes[i]), scores[i], strict=True)
            )
            if name is not None
        ]

    def _reasons(
        self, cases: Cases, codes: Tensor, count: int, tell: Callable[[str], None]
    ) -> list[list[dict[str, str]]]:
        """Return `reason_1` … of each user's suggestions; fewer where the past holds no more."""
        finds, began, found = EventReasons(self.scorer), time.monotonic(), []
        for case, suggested in enumerate(codes):
            strongest = finds.strongest(cases, case, suggested, count)
            words = [
                because(items, self.encoder.items, self.titles, code)
                for items, code in zip(strongest, suggested.tolist(), strict=True)
            ]
            found.append([dict(zip(reason_names(count), one, strict=False)) for one in words])
            if case + 1 == FIRST_FEW:
                tell_how_long(tell, f"{len(codes):,} users", FIRST_FEW, len(codes), began)
        return found

    def _unknown(self, log: EventLog) -> list[str]:
        known = log.frame["item"].is_in(list(self.encoder.items))
        count = log.frame.height - int(known.sum())
        if not count:
            return []
        first = log.frame["item"].filter(~known)[0]
        return [
            f"{count:,} of {log.frame.height:,} events are of items that the model does not know, "
            f"such as '{first}': they are passed over."
        ]


def _check_columns(columns: EventColumns, given: list[str]) -> None:
    """Raise DataError with every column that the model learned from and a log lacks."""
    problems = [
        (
            f"there is no column '{name}', which the model learned from.",
            did_you_mean(name, given) + f"The columns are: {', '.join(given[:20])}.",
        )
        for name in columns.model_dump().values()
        if name is not None and name not in given
    ]
    if problems:
        raise DataError.of(problems)


def _titles(given: Any, items: tuple[str, ...]) -> dict[str, str]:
    """Return what items are called, as a model keeps it: a title or nothing for each item."""
    if given is None:
        return {}
    if not isinstance(given, list) or len(given) != len(items):
        raise ValueError("it names titles of other items")
    return {item: title for item, title in zip(items, given, strict=True) if type(title) is str}


_NOTHING_KNOWN = "nothing this user did is known to the model: these are popular now"
_NOT_WHOLE = "no row of this user has both an item and a time"
_SCHEMA = {
    "user": pl.String,
    "rank": pl.Int64,
    "item": pl.String,
    "score": pl.Float64,
    "problem": pl.String,
}
