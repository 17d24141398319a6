"""Photos on their way to a model: found, parted, and turned into features once."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from treadle.api.corrections import Overlay, corrected_answers, photo_overlay
from treadle.api.options import FitOptions
from treadle.api.place import Place
from treadle.api.table_data import PARTS, PartName
from treadle.data.finding import Finding
from treadle.data.images import ImageIndex, check_broken, find_images
from treadle.data.photo_features import FeatureMaker, read_features
from treadle.data.photo_notes import left_out
from treadle.data.split import Split, SplitRule, split
from treadle.data.tables import TargetEncoder, plan_target
from treadle.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from treadle.data.photo_features import PhotoFeatures

QUICK_PHOTOS = 1_500
CACHE = Path("~/.cache/treadle/features")


@dataclass(frozen=True, kw_only=True)
class ImageData:
    """Labelled photos, and which of them train, validate and test.

    frame: a row a photo: `path` as named, `file` where it lies, `hash` of it, `label`
    num_broken: photos that were left out because they could not be read
    """

    frame: pl.DataFrame
    target: TargetEncoder
    split: Split
    notes: list[str]
    num_broken: int = 0
    corrections: Overlay | None = None

    def truth(self, part: PartName) -> NDArray[np.int64]:
        """Return the class codes of a part, int64 [N]."""
        rows = self.frame[getattr(self.split, part)]
        return self.target.encode(rows["label"]).astype(np.int64)

    def rows(self, part: PartName) -> NDArray[np.int64]:
        """Return the places of a part's photos in `frame`."""
        found: NDArray[np.int64] = getattr(self.split, part)
        return found

    @cached_property
    def findings(self) -> list[Finding]:
        """What is suspicious about the photos, by a look at 1,500 of them at most."""
        return self.look_alikes(QUICK_PHOTOS)

    def look_alikes(self, most: int) -> list[Finding]:
        """Return what is said of photos that look the same, by a look at so many at most."""
        from treadle.data.photo_duplicates import near_photos

        names, labels = self.frame["path"].to_list(), self.frame["label"].to_list()
        parts: dict[str, NDArray[np.int64]] = {part: self.rows(part) for part in PARTS}
        return near_photos(self.files, names, labels, self.hashes, parts, most=most)

    @property
    def classes(self) -> list[str]:
        return list(self.target.classes)

    @property
    def files(self) -> list[Path]:
        """Where the photos lie, in the order of `frame`."""
        return [Path(path) for path in self.frame["file"]]

    @property
    def hashes(self) -> list[str]:
        return self.frame["hash"].to_list()


def prepare_images(options: FitOptions) -> ImageData:
    """Find the photos and part them; equal photos stay in one part. Raises: DataError."""
    if len(options.data) != 1:
        raise DataError(
            f"{len(options.data)} places of photos were given.",
            "Give one folder with a sub-folder a class, or one CSV of path,label.",
        )
    main = find_images(options.data[0], target=options.target or "", photos=options.photos)
    given = {
        name: find_images(paths[0], target=options.target or "", photos=options.photos)
        for name, paths in (("validation", options.validation), ("test", options.test))
        if paths
    }
    frame = _frame(main)
    parted = split(frame, _rule(options, set(given)), "label")
    whole, parted = _with_given(frame, parted, given)
    whole, overlay = _with_corrections(options, whole)
    plan = plan_target(whole, "label", metric=options.metric, positive=options.positive)
    notes = [note for index in (main, *given.values()) for note in index.notes]
    counts = whole["label"].value_counts(sort=True)
    told = ", ".join(f"{label} {count:,}" for label, count in counts.iter_rows())
    notes.append(f"{whole.height:,} photos of {len(counts)} kinds: {told}.")
    return ImageData(
        frame=whole,
        target=plan.encoder,
        split=parted,
        notes=[
            *notes,
            *(plan.notes[:1] if plan.task == "two_classes" else []),
            *parted.notes,
            *(overlay.words() if overlay else []),
        ],
        num_broken=sum(index.num_broken for index in (main, *given.values())),
        corrections=overlay,
    )


def _with_corrections(
    options: FitOptions, frame: pl.DataFrame
) -> tuple[pl.DataFrame, Overlay | None]:
    """Put corrected labels in; photos stay in the parts they are in without them."""
    if options.corrections is None:
        return frame, None
    names, labels = frame["path"].to_list(), frame["label"].to_list()
    overlay = photo_overlay(options.corrections, names, labels)
    target = plan_target(frame, "label").encoder
    answers, _ = corrected_answers(overlay, frame["label"], target)
    return frame.with_columns(answers), overlay


def cache_of(options: FitOptions) -> Path:
    """Return the folder where features are kept."""
    return Path(options.cache or CACHE).expanduser()


def features_of(
    data: ImageData,
    maker: FeatureMaker,
    options: FitOptions,
    place: Place,
) -> tuple[PhotoFeatures, ImageData]:
    """Return the features of all photos, from the cache where it has them, and the data without
    photos that could not be read.

    Raises: DataError when they are more than one in a hundred.
    """
    began = told = time.monotonic()

    def progress(done: int, total: int) -> None:
        nonlocal told
        if time.monotonic() - told > 3:
            told = time.monotonic()
            sentence = f"looking at photos: {done:,} of {total:,}"
            place.observer.line({"topic": "features", "step": 0, "sentence": sentence})

    found = read_features(
        data.files,
        maker,
        cache_folder=cache_of(options),
        hashes=data.hashes,
        threads=options.threads or 2,
        progress=progress,
    )
    seconds = time.monotonic() - began
    new = data.frame.height - found.num_cached
    place.journal.say(
        "features",
        f"what the pretrained network sees in {data.frame.height:,} photos: {found.num_cached:,} "
        f"were known from before, {new:,} took {seconds:.0f} seconds.",
    )
    sound = _without(data, found.problems, options.data[0])
    for note in sound.notes[len(data.notes) :]:
        place.journal.say("data", note)
    return found, sound


def _frame(index: ImageIndex) -> pl.DataFrame:
    return index.frame().with_columns(file=pl.Series([str(path) for path in index.paths]))


def _rule(options: FitOptions, given: set[str]) -> SplitRule:
    shares = np.array([0.7, 0.15, 0.15]) * [1, "validation" not in given, "test" not in given]
    train, validation, test = (float(share) for share in shares / shares.sum())
    common: dict[str, Any] = {"seed": options.seed, "fractions": (train, validation, test)}
    if options.group:
        return SplitRule(method="group", column="path", pattern=options.group, **common)
    return SplitRule(content=("hash",), **common)


def _with_given(
    frame: pl.DataFrame, parted: Split, given: dict[str, ImageIndex]
) -> tuple[pl.DataFrame, Split]:
    """Put the user's own validation or test photos behind the others."""
    changed: dict[str, Any] = {}
    for name, index in given.items():
        more = _frame(index)
        unknown = sorted(set(more["label"]) - set(frame["label"]))
        if unknown:
            raise DataError(
                f"the {name} photos have kinds that training lacks: {', '.join(unknown)}.",
                "Use the same names for the same kinds.",
            )
        changed[name] = np.arange(frame.height, frame.height + more.height)
        frame = pl.concat([frame, more])
    parts = {name: changed.get(name, getattr(parted, name)) for name in PARTS}
    return frame, Split(**parts, rule=parted.rule, notes=parted.notes)


def _without(data: ImageData, problems: dict[int, str], where: str) -> ImageData:
    """Return the data without some photos; their rows stay in the frame and in no part."""
    problems = {at: why for at, why in problems.items() if any(at in data.rows(p) for p in PARTS)}
    if not problems:
        return data
    broken = np.array(sorted(problems))
    parts = {name: np.setdiff1d(data.rows(name), broken) for name in PARTS}
    note = left_out(
        "could not be unpacked", [(Path(data.frame["path"][i]), problems[i]) for i in problems]
    )
    num_broken = data.num_broken + len(problems)
    check_broken(where, num_broken, data.frame.height + data.num_broken, [*data.notes, note])
    return ImageData(
        frame=data.frame,
        target=data.target,
        split=Split(**parts, rule=data.split.rule, notes=data.split.notes),
        notes=[*data.notes, note],
        num_broken=num_broken,
        corrections=data.corrections,
    )
