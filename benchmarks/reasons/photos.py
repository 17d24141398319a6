"""Does the place that is named as a photo's first reason lie on the defect?

    python benchmarks/reasons/photos.py --data DATA/tile --scratch /tmp/reasons-photos

The photos of defects come with masks that no training sees. Of test photos that are taken for the
kind of defect they show, with the strongest of some 16 places:

- touches: in how many photos it touches the defect; by chance: how many of its places do
- holds: which share of the defect lies in it; by chance; at best: in the place that holds the most
- same: in how many photos two trainings from two seeds name the same place, where both say the same
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import treadle
from treadle.serve.photo_reasons import Place
from treadle.serve.predictor import load_predictor

Array = NDArray[Any]
WITHOUT_DEFECT = "free"


def main() -> None:
    options = _options()
    runs = [_run(options, seed) for seed in (0, 1)]
    models: list[Any] = [load_predictor(run.path / "model") for run in runs]
    photos = _photos(options.data, options.each)
    told = [model.predict(photos) for model in models]
    codes = [
        model.target.encode(found["prediction"]) for model, found in zip(models, told, strict=True)
    ]
    finds = [model.reasons() for model in models]
    rows, same, begun = [], [], time.process_time()
    for number, photo in enumerate(photos):
        said = int(codes[0][number])
        if models[0].target.classes[said] != photo.parent.name:
            continue
        place = finds[0].places(photo, said, 1)[0]
        rows.append({"kind": photo.parent.name} | _on(place, _mask(photo)))
        if codes[1][number] == said:
            same.append(finds[1].places(photo, said, 1)[0].box == place.box)
    seconds = (time.process_time() - begun) / max(len(rows) + len(same), 1)
    for kind in ("all", *sorted({row["kind"] for row in rows})):
        some = [row for row in rows if kind in ("all", row["kind"])]
        names = ("touches", "touches by chance", "holds", "holds by chance", "holds at best")
        figures = {name: round(float(np.mean([row[name] for row in some])), 3) for name in names}
        print(json.dumps({"photos": kind, "rows": len(some)} | figures))
    print(f"same place by two trainings: {np.mean(same):.3f} of {len(same)}")
    print(f"{1000 * seconds:.0f} ms of processor time a photo")


def _on(place: Place, mask: Array) -> dict[str, float]:
    """Return how a place and a defect lie to each other, beside all places of its size."""
    width, height = place.box[2] - place.box[0], place.box[3] - place.box[1]
    down = np.linspace(0, mask.shape[0], round(1 / height) + 1).astype(int)
    across = np.linspace(0, mask.shape[1], round(1 / width) + 1).astype(int)
    sums = np.add.reduceat(np.add.reduceat(mask, down[:-1], axis=0), across[:-1], axis=1)
    here = sums[round(place.box[1] / height), round(place.box[0] / width)]
    return {
        "touches": float(here > 0),
        "touches by chance": float((sums > 0).mean()),
        "holds": float(here / mask.sum()),
        "holds by chance": 1 / sums.size,
        "holds at best": float(sums.max() / mask.sum()),
    }


def _mask(photo: Path) -> Array:
    file = photo.parents[2] / "masks" / photo.parent.name / f"{photo.stem}.png"
    drawn: Array = (np.asarray(Image.open(file).convert("L")) > 127).astype(np.int64)
    return drawn


def _photos(data: Path, each: int) -> list[Path]:
    draw = np.random.default_rng(0)
    kinds = [f for f in sorted((data / "images").iterdir()) if f.name != WITHOUT_DEFECT]
    drawn = [draw.permutation(sorted(folder.glob("*.jpg")))[:each] for folder in kinds]
    return [Path(photo) for photos in drawn for photo in photos if _mask(Path(photo)).any()]


def _run(options: argparse.Namespace, seed: int) -> treadle.Run:
    place = options.scratch / f"run-{seed}"
    if (place / "result.json").exists():
        return treadle.load(place)
    return treadle.fit(
        options.data / "images",
        seed=seed,
        threads=1,
        until=options.until,
        cache=options.scratch / "cache",
        out=place,
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True, help="has images/ and masks/")
    parser.add_argument("--scratch", type=Path, required=True)
    parser.add_argument("--each", type=int, default=40, help="photos of each kind")
    parser.add_argument("--until", default="40 epochs")
    options = parser.parse_args()
    options.scratch.mkdir(parents=True, exist_ok=True)
    return options


if __name__ == "__main__":
    main()
