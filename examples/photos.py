"""Photos: which digit was written? 320 scans from scikit-learn, saved as files in four folders.

    python examples/photos.py

A pretrained network looks at each photo once; the loop then trains a small head on what it saw.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

import treadle

NAMES = {3: "three", 5: "five", 8: "eight", 9: "nine"}  # the ones that look alike
OF_EACH = 80
FLOOR = 0.7  # of 48 test photos; guessing is right for 0.25
CEILING = 0.999  # scans this small that are all told apart would smell of a leak


def write_photos(folder: Path) -> Path:
    """Write a sub-folder for each class, as a camera or a shop would leave them."""
    found = load_digits()
    for digit, name in NAMES.items():
        (folder / name).mkdir(parents=True)
        for number, pixels in enumerate(found.images[found.target == digit][:OF_EACH]):
            grey = (255 - pixels * 15.9).astype(np.uint8)
            image = Image.fromarray(grey).resize((96, 96), Image.Resampling.BICUBIC)
            image.save(folder / name / f"{number:03}.png")
    return folder


def main(folder: Path) -> float:
    photos = write_photos(folder / "photos")
    run = treadle.fit(photos, until="30 seconds", out=folder / "run", cache=folder / "cache")
    right: float = run.result["metrics"]["accuracy"]["test"]
    print(f"right for {right:.1%} of {run.result['rows']['test']} photos never seen before")
    print(run.predict(photos / "five").head(3))
    return right


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        right = main(Path(folder))
    if not FLOOR < right < CEILING:
        sys.exit(f"accuracy is {right:.3f}; between {FLOOR} and {CEILING} was expected.")
