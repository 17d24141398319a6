"""What photos show without a network: pieces that they share, and a mark that tells the answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from treadle.api.evidence_other import Rows, best_of, kernel_ridge
from treadle.api.evidence_photos import are_photos, patches, telling_place

pytest.importorskip("PIL")


def crosses(count: int = 500) -> tuple[torch.Tensor, torch.Tensor]:
    """Return photos [N, 1, 14, 14] with a small mark anywhere: lying or standing."""
    draw = np.random.default_rng(0)
    photos = draw.normal(0.0, 0.2, (count, 1, 14, 14)).astype(np.float32)
    kind = draw.integers(0, 2, count)
    for photo, stands, y, x in zip(photos, kind, *draw.integers(0, 9, (2, count)), strict=True):
        photo[0, y : y + (5 if stands else 1), x : x + (1 if stands else 5)] += 1.0
    return torch.from_numpy(photos), torch.from_numpy(kind)


def test_pieces_tell_what_single_points_do_not() -> None:
    photos, kind = crosses()
    points = Rows.both([photos.flatten(1)], kind, 400)
    pieces = Rows.both([patches(photos)], kind, 400)
    assert kernel_ridge(*pieces).mean() < 0.05 < 0.15 < kernel_ridge(*points).mean()
    assert best_of([points, pieces]).mean() == kernel_ridge(*pieces).mean()


def test_large_photos_are_made_small_and_odd_shapes_are_no_photos() -> None:
    assert patches(torch.rand(3, 3, 300, 200)).shape == (3, 432)
    assert are_photos([torch.rand(3, 1, 12, 12)])
    assert not are_photos([torch.rand(3, 12, 12)])
    assert not are_photos([torch.rand(3, 1, 4, 12)])
    assert not are_photos([torch.rand(3, 1, 12, 12), torch.rand(3, 1)])


def written(folder: Path, photos: np.ndarray) -> list[Path]:
    from PIL import Image

    paths = [folder / f"{number}.png" for number in range(len(photos))]
    for path, photo in zip(paths, photos, strict=True):
        Image.fromarray(photo).save(path)
    return paths


def grey(count: int = 80) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(1)
    return draw.integers(60, 200, (count, 48, 48), dtype=np.uint8), np.arange(count) % 2


@pytest.mark.parametrize(("place", "name"), [((0, 0), "top left"), ((36, 36), "bottom right")])
def test_a_white_corner_that_comes_with_the_answer_is_found(
    place: tuple[int, int], name: str, tmp_path: Path
) -> None:
    photos, codes = grey()
    y, x = place
    photos[codes == 1, y : y + 12, x : x + 12] = 255
    found = telling_place(written(tmp_path, photos), codes)
    assert found is not None and found.name == f"the brightness {name}"
    assert found.right > 0.95 and found.next < 0.5


def test_a_mark_may_tell_one_class_of_several(tmp_path: Path) -> None:
    photos, _ = grey(90)
    codes = np.arange(90) % 3
    photos[codes == 2, :12, 36:] = 255
    found = telling_place(written(tmp_path, photos), codes)
    assert found is not None and found.name == "the brightness top right"
    assert found.right > 0.95


def test_few_photos_of_a_class_tell_nothing(tmp_path: Path) -> None:
    photos, _ = grey(30)
    photos[:4, :12, :12] = 255
    codes = (np.arange(30) < 4).astype(np.int64)
    assert telling_place(written(tmp_path, photos), codes) is None


def test_photos_that_are_brighter_all_over_have_no_mark(tmp_path: Path) -> None:
    photos, codes = grey()
    photos[codes == 1] = 255 - photos[codes == 1] // 8
    found = telling_place(written(tmp_path, photos), codes)
    assert found is not None and found.next > 0.5
