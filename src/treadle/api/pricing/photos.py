"""The ground and the learner of a price list of photos: their head is trained, features are known.

What the pretrained network sees in a photo does not depend on the others, so each fork trains the
head alone, in seconds.
"""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from treadle.api.as_answered import group_codes, image_part
from treadle.api.asked_before import asked_again
from treadle.api.corrections import corrected_answers, photo_overlay
from treadle.api.goal_of import read_goal
from treadle.api.image_data import ImageData, features_of, prepare_images
from treadle.api.options import FitOptions
from treadle.api.place import use_threads
from treadle.api.pricing.asked import Asking
from treadle.api.pricing.ground import Ground, Told, changed_words, group_cells
from treadle.api.pricing.recipe import Recipe, until_of
from treadle.api.pricing.things import Thing, changed_answers, key_of
from treadle.data.fingerprint import fingerprint
from treadle.data.split import Split
from treadle.errors import OptionError, RunError
from treadle.folder import RunFolder
from treadle.goal import DEFAULT, metric_named

if TYPE_CHECKING:
    from treadle.api.place import Place
    from treadle.contracts import Json
    from treadle.study.turns import Turn

PATTERNS = "--without 'batch-2/*', --without '*_night*': a pattern of the photos' paths."


def photo_ground(run: RunFolder, data: Any = None) -> Ground:
    """Find a finished run's photos again and return what its forks share. Raises: UserError."""
    import torch

    options = asked_again(run, data)
    use_threads(options)
    photos = prepare_images(options)
    metric = metric_named(options.metric or DEFAULT[photos.target.task], photos.target.task)
    marks = fingerprint(photos.frame.select("hash", "label"))
    groups = group_cells(photos.frame, photos.split.rule)
    return Ground(
        run=run,
        options=options,
        frame=photos.frame,
        target=photos.target,
        split=photos.split,
        learner=PhotoLearner(photos, options, _seen_by(run)),
        goal=read_goal(options, photos.target, pl.DataFrame(height=photos.frame.height)),
        metric=metric,
        judge=metric,
        recipe=_recipe(run, options),
        ahead=bool(options.validation),
        clusters=np.arange(photos.frame.height) if groups is None else group_codes(groups),
        marks=marks,
        threads=torch.get_num_threads(),
        notes=[*changed_words(run, marks), *_head_alone(options)],
    )


def _seen_by(run: RunFolder) -> Json:
    """Return with which shape and engine the run looked at its photos."""
    facts = RunFolder(run.path / "model").read_json("model.json") or {}
    found: Json = facts.get("facts") or {}
    return {"shape": found.get("shape"), "engine": found.get("engine", "eager")}


def _recipe(run: RunFolder, options: FitOptions) -> Recipe:
    from treadle.models.vision_head import HeadTraining

    result = run.result or {}
    until = until_of(options.condition, result["stopped"])
    return Recipe(
        model="head",
        settings={},
        until=until or f"{HeadTraining().num_epochs} epochs",
        seconds=float(result["seconds"]) / max(1, len(result.get("members") or [1])),
    )


def _head_alone(options: FitOptions) -> list[str]:
    if not options.unfreeze:
        return []
    return [
        "the run trained the last blocks of the network too; here the head alone is trained, which "
        "takes seconds."
    ]


@dataclass
class PhotoLearner:
    """Finds photos by their paths, and trains a head on one side of a turn."""

    data: ImageData
    options: FitOptions
    seen_by: Json
    features: NDArray[Any] | None = field(default=None, init=False)
    broken: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64), init=False)

    @property
    def words(self) -> str:
        return "photos"

    def things(self, asked: Asking) -> tuple[list[Thing], list[str]]:
        """Return all that is to be priced. Raises: OptionError."""
        if asked.each is not None or asked.adding is not None:
            raise OptionError(
                f"{'--each' if asked.each is not None else '--with'} is for tables, and this run "
                "learned from photos.",
                f"Say {PATTERNS}",
            )
        problems, things = [], []
        for text in dict.fromkeys(asked.without):
            try:
                things.append(self._photos(text))
            except OptionError as error:
                problems.append((error.message, error.hint))
        if problems:
            raise OptionError.of(problems)
        return things + [self._corrected(one.file) for one in asked.files()], []

    def _photos(self, text: str) -> Thing:
        names = self.data.frame["path"].to_list()
        asked = text.strip().rstrip("/")
        patterns = (asked, f"{asked}/*", f"*/{asked}/*")
        rows = np.array([any(fnmatch.fnmatchcase(n, p) for p in patterns) for n in names])
        pool = np.concatenate([self.data.split.train, self.data.split.validation])
        if not rows[pool].any():
            shown = ", ".join(names[:3])
            raise OptionError(
                f"--without '{text}': no photo to learn from has such a path.",
                f"Photos are named {shown}, …. Say {PATTERNS}",
            )
        count = int(rows.sum())
        return Thing(
            name=f"{asked} ({count:,} {'photo' if count == 1 else 'photos'})",
            label=asked,
            key=key_of(asked, np.packbits(rows).tobytes().hex()),
            kind="rows",
            rows=rows,
            count=count,
        )

    def _corrected(self, file: str) -> Thing:
        frame, own = self.data.frame, self.options.corrections
        if own is not None and Path(own).resolve() == Path(file).resolve():
            plain = prepare_images(self.options.model_copy(update={"corrections": None}))
            return changed_answers(file, plain.frame["label"], frame["label"], adds=False)
        overlay = photo_overlay(file, frame["path"].to_list(), frame["label"].to_list())
        corrected, _ = corrected_answers(overlay, frame["label"], self.data.target)
        return changed_answers(file, frame["label"], corrected, adds=True)

    def fit(
        self, ground: Ground, where: Place, options: FitOptions, turn: Turn, thing: Thing | None
    ) -> Told:
        """Train the head on one side of a turn."""
        from treadle.api.fit_images import fit_head

        features = self._features(options, where)
        learn, choose = (np.setdiff1d(rows, self.broken) for rows in (turn.learn, turn.choose))
        frame = self.data.frame
        if thing is not None and thing.rows is not None:
            learn, choose = learn[~thing.rows[learn]], choose[~thing.rows[choose]]
        if thing is not None and thing.answers is not None:
            frame = frame.with_columns(thing.answers.rename("label"))
        parted = Split(train=learn, validation=choose, test=turn.judge, rule=self.data.split.rule)
        data = replace(self.data, frame=frame, split=parted)
        _, member = fit_head(data, features, options, ground.metric, where, self.seen_by)
        return Told(
            member,
            data,
            image_part(data, options, "validation", member.validation),
            image_part(data, options, "test", member.test),
        )

    def _features(self, options: FitOptions, where: Place) -> NDArray[Any]:
        """Return what the pretrained network saw in all photos, from the cache where it lies."""
        if self.features is None:
            from treadle.models.vision import PhotoShape, load_backbone
            from treadle.models.vision_engine import backbone_like

            shape = self.seen_by["shape"]
            if shape is None:
                shape = {"keeps_aspect": False}
            backbone, _ = backbone_like(
                load_backbone(shape=PhotoShape(**shape)), self.seen_by["engine"]
            )
            found, sound = features_of(self.data, backbone, options, where)
            kept = sound.split.rows
            self.broken = np.setdiff1d(self.data.split.rows, kept)
            if len(self.broken) == len(self.data.split.rows):
                raise RunError("none of the photos can be read any more.", "Are they still there?")
            self.features = found.values
        return self.features
