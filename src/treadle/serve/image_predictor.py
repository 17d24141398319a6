"""Predicting photos."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from treadle.contracts import Json
from treadle.data.images import list_photos
from treadle.data.photo_features import read_features
from treadle.data.tables import TargetEncoder
from treadle.models.vision import PhotoShape, load_backbone
from treadle.models.vision_engine import backbone_like
from treadle.models.vision_head import build_head
from treadle.models.vision_unfrozen import MapsMaker, UnfrozenSettings, build_unfrozen
from treadle.serve.answering import Answering
from treadle.serve.photo_reasons import PhotoReasons, Place, marked, picture_name
from treadle.serve.reasons import FIRST_FEW, check_count, reason_names, tell_how_long
from treadle.tensors import read_tensors

PHOTOS_AT_ONCE = 256
MEMBERS = {"head": "head", "unfrozen": "unfrozen"}  # a name from a file never becomes a path

log = logging.getLogger(__name__)


class ImagePredictor:
    """The model of photos: the pretrained network, and the head that was trained on it.

    The network looks at photos on the engine that the model was trained with; where that cannot
    be used, the nearest other is taken, and a warning is logged.
    """

    columns_as_text: list[str]
    columns_learned: list[str]

    def __init__(self, folder: Path, facts: Json) -> None:
        self.columns_as_text = []
        self.columns_learned = []
        self.target = TargetEncoder.model_validate(facts["target"])
        self.answering = Answering(facts, self.target)
        count = len(self.target.classes)
        self.is_unfrozen = facts["member"] == "unfrozen"
        shape = {"keeps_aspect": False} if self.is_unfrozen else facts["facts"]["shape"]
        engine = facts["facts"].get("engine", "plain")  # older models have none
        backbone, other = backbone_like(load_backbone(shape=PhotoShape(**shape)), engine)
        if other:
            log.warning("%s", other)
        if self.is_unfrozen:
            settings = UnfrozenSettings.model_validate(facts["facts"]["settings"])
            self.maker: Any = MapsMaker(backbone, settings)
            self.model: Any = build_unfrozen(backbone, count, seed=0, settings=settings)
        else:
            self.maker = backbone
            self.model = build_head(self.maker.num_features, count, seed=0)
        weights = read_tensors(folder / f"{MEMBERS[facts['member']]}.safetensors", finite=True)
        self.model.load_state_dict(weights)
        self.model.eval()

    def predict(
        self,
        data: Any,
        *,
        threads: int = 2,
        photos: Path | str | None = None,
        reasons: int = 0,
        pictures: Path | str | None = None,
        tell: Callable[[str], None] = lambda words: None,
    ) -> pl.DataFrame:
        """Return `file`, `prediction`, `probability_<class>` for a photo, a folder, a CSV, a list.

        A photo that cannot be read has no answer, and a word in `problem`; so has a row of a CSV
        whose path leads out of the folder `photos` (the CSV's own).

        reasons: how many places of each photo are named, in `reason_1`, `reason_2` …
        pictures: a folder for the photos with these places framed; it is made where it is not
        tell: hears how long reasons take, before they are done

        Raises: DataError when there are no photos.
        """
        check_count(reasons)
        names, paths, outside = _listed(data, photos)
        found = read_features(paths, self.maker, threads=threads)
        problems = found.problems | dict.fromkeys(outside, _OUTSIDE)
        probabilities = self._probabilities(found.values)
        sound = pl.Series([i not in problems for i in range(len(paths))])
        answers, undecided = self.answering.answers(probabilities, pl.DataFrame(height=len(paths)))
        empty = [
            series.zip_with(sound, pl.Series([None], dtype=series.dtype)) for series in answers
        ]
        if reasons:
            said = self.answering.said(answers, probabilities, undecided)
            sound_rows = [i for i in range(len(paths)) if i not in problems]
            places = self._places(paths, said, sound_rows, reasons, tell)
            empty += self._told(places, said, len(paths), reasons)
            if pictures:
                _draw(Path(pictures), names, paths, places)
        frame = pl.DataFrame([pl.Series("file", names), *empty])
        if not problems:
            return frame
        told = [problems.get(i) for i in range(len(paths))]
        return frame.with_columns(problem=pl.Series(told, dtype=pl.String))

    def reasons(self) -> PhotoReasons:
        """Return what finds the places of photos that moved their answers."""
        backbone = self.maker.backbone if self.is_unfrozen else self.maker
        return PhotoReasons(backbone, self.model, self.answering.calibrator, self.target)

    def _places(
        self,
        paths: list[Path],
        said: NDArray[np.int64],
        rows: list[int],
        count: int,
        tell: Callable[[str], None],
    ) -> dict[int, list[Place]]:
        finds, began, found = self.reasons(), time.monotonic(), {}
        for done, row in enumerate(rows):
            found[row] = finds.places(paths[row], int(said[row]), count)
            if done + 1 == FIRST_FEW:
                tell_how_long(tell, f"{len(rows):,} photos", FIRST_FEW, len(rows), began)
        return found

    def _told(
        self, places: dict[int, list[Place]], said: NDArray[np.int64], rows: int, count: int
    ) -> list[pl.Series]:
        finds = self.reasons()
        words = [finds.told(places.get(row, []), int(said[row]), count) for row in range(rows)]
        return [
            pl.Series(name, [told[number] for told in words], pl.String)
            for number, name in enumerate(reason_names(count))
        ]

    def _probabilities(self, values: NDArray[Any]) -> NDArray[Any]:
        name = "maps" if self.is_unfrozen else "features"
        parts = []
        with torch.inference_mode():
            for start in range(0, len(values), PHOTOS_AT_ONCE):
                rows = torch.from_numpy(
                    np.ascontiguousarray(values[start : start + PHOTOS_AT_ONCE])
                )
                batch = {name: rows if self.is_unfrozen else rows.float()}
                parts.append(self.model.predict(self.model(batch)).float())
        found: NDArray[Any] = torch.cat(parts).numpy()
        return found


_OUTSIDE = "its path leads out of the folder of the table; --photos FOLDER names another"


def _draw(
    folder: Path, names: list[str], paths: list[Path], places: dict[int, list[Place]]
) -> None:
    """Write each photo with its places framed."""
    folder.mkdir(parents=True, exist_ok=True)
    for row, found in places.items():
        marked(paths[row], found).save(folder / picture_name(row + 1, names[row]), quality=88)


def _listed(data: Any, photos: Path | str | None) -> tuple[list[str], list[Path], list[int]]:
    """Return the photos' names as given, their paths, and the places of those that lie outside."""
    if isinstance(data, Sequence) and not isinstance(data, str):
        return [str(path) for path in data], [Path(path) for path in data], []
    root, files = list_photos(Path(data), photos)
    names = ["" if file is None else file.as_posix() for file in files]
    outside = [place for place, file in enumerate(files) if file is None]
    # for what lies outside the folder itself stands, which is no photo: nothing else is opened
    return names, [root / (file or "") for file in files], outside
