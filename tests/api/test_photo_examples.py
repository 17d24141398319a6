"""The photos that a report shows with the place framed that moved the answer."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from tests.conftest import Finished
from treadle.api.photo_examples import SHOWN, _in_turns


def test_a_fit_of_photos_leaves_some_with_the_place_framed(photo_run: Finished) -> None:
    shown = photo_run.run.folder.findings["photo_examples"]
    assert 0 < len(shown) <= SHOWN
    for photo in shown:
        assert photo["true"] == photo["predicted"]
        assert f"the chance of '{photo['predicted']}' by" in photo["reason"]
        content = base64.b64decode(photo["data_uri"].removeprefix("data:image/jpeg;base64,"))
        pixels = np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)
        framed = np.abs(pixels - np.array([0xC2, 0x18, 0x5B])).max(axis=2) < 60
        assert framed.any(), photo["file"]


def test_the_surest_of_each_class_come_first_and_wrong_ones_never() -> None:
    truth, said = np.array([0, 0, 1, 1, 2]), np.array([0, 0, 1, 0, 2])
    chances = np.array([[0.7, 0, 0], [0.9, 0, 0], [0, 0.6, 0], [0.99, 0, 0], [0, 0, 0.8]])
    assert _in_turns(truth, chances, said) == [1, 4, 2, 0]
