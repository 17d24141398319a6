"""A photo as a few numbers: colours where they are, and nothing made up of a broken one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from treadle.data.photo_points import NUM_POINTS, SIDE, points_of


def test_the_colour_of_each_field_is_seen_where_it_is(tmp_path: Path) -> None:
    pixels = np.zeros((80, 160, 3), np.uint8)
    pixels[:, 80:, 0] = 255
    Image.fromarray(pixels).save(tmp_path / "half.png")
    found = points_of(tmp_path / "half.png")
    assert found.shape == (NUM_POINTS,)
    red = found[: SIDE * SIDE].reshape(SIDE, SIDE)
    assert red[:, :3].max() < 0.05 and red[:, 5:].min() > 0.95
    assert found[SIDE * SIDE : -3].max() == 0


def test_a_rough_photo_differs_from_a_smooth_one(tmp_path: Path) -> None:
    rough = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    Image.fromarray(rough).save(tmp_path / "rough.png")
    Image.fromarray(np.full((64, 64, 3), 128, np.uint8)).save(tmp_path / "smooth.png")
    rough_found, smooth_found = (points_of(tmp_path / f"{n}.png") for n in ("rough", "smooth"))
    assert rough_found[-3:].min() > smooth_found[-3:].max() + 0.1


def test_a_photo_that_is_gone_or_broken_is_missing(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    assert np.isnan(points_of(tmp_path / "broken.png")).all()
    assert np.isnan(points_of(tmp_path / "gone.png")).all()
