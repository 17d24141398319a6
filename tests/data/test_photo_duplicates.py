"""Photos that look the same without being the same file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import treadle

pytest.importorskip("PIL")
from PIL import Image, ImageEnhance

from treadle.data.photo_duplicates import alike_pairs, look_of


def scene(seed: int) -> Image.Image:
    """Return a made picture: soft blobs of light."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:96, 0:128]
    light = np.zeros((96, 128))
    for _ in range(9):
        cx, cy, size = random.uniform(0, 128), random.uniform(0, 96), random.uniform(6, 30)
        light += random.uniform(-1, 1) * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / size**2)
    scaled = (light - light.min()) / np.ptp(light) * 255
    return Image.fromarray(np.dstack([scaled, scaled * 0.8, 255 - scaled]).astype(np.uint8))


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    made = [scene(seed) for seed in range(40)]
    again = [
        ImageEnhance.Brightness(made[0]).enhance(1.2),
        made[1].resize((64, 48)),
        made[2].crop((1, 1, 127, 95)),
    ]
    paths = []
    for number, picture in enumerate([*made, *again]):
        path = tmp_path / f"{number:02}.jpg"
        picture.save(path, quality=80)
        paths.append(path)
    return paths


def test_brighter_smaller_and_cut_copies_are_found_and_no_others(photos: list[Path]) -> None:
    found = alike_pairs([look_of(path) for path in photos])
    assert sorted(map(tuple, found.tolist())) == [(0, 40), (1, 41), (2, 42)]


def test_pictures_of_one_colour_and_broken_files_are_like_nothing(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), (90, 90, 90)).save(tmp_path / "grey.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    assert look_of(tmp_path / "grey.png") is None and look_of(tmp_path / "broken.png") is None
    assert len(alike_pairs([None, None])) == 0


def test_a_check_tells_of_alikes_with_different_labels(tmp_path: Path) -> None:
    for label, seeds in {"good": range(12), "bad": range(20, 32)}.items():
        (tmp_path / label).mkdir()
        for seed in seeds:
            scene(seed).save(tmp_path / label / f"{seed:02}.png")
    scene(3).save(tmp_path / "bad" / "03.jpg", quality=85)
    found = treadle.check(tmp_path)["findings"]
    told = [f for f in found if f["title"] == "Photos that look the same have different labels"]
    assert len(told) == 1 and "good/03.png [good]" in told[0]["sentence"]
