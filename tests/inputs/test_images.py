"""Photos as people really have them: evened out alike in training and serving, or named and left.

Each photo of the zoo shows the same picture, saved in another way.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import treadle
from tests import small
from tests.conftest import Finished
from treadle.data import photo
from treadle.data.images import find_images, list_photos
from treadle.data.photo import decode
from treadle.errors import DataError
from treadle.report.words import explain

RED, GREEN = (200, 30, 30), (30, 200, 30)


def picture(mode: str = "RGB", size: tuple[int, int] = (48, 32)) -> Image.Image:
    """Return a picture that is red above and green below."""
    image = Image.new("RGB", size, RED)
    image.paste(GREEN, (0, size[1] // 2, *size))
    return image.convert(mode)


def saved(image: Image.Image, kind: str, **how: Any) -> bytes:
    stream = BytesIO()
    image.save(stream, kind, **how)
    return stream.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + checksum


def png(width: int, height: int, depth: int, rows: bytes) -> bytes:
    """Write a PNG of RGB whose header may say anything."""
    header = struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def sixteen_bits() -> bytes:
    pixels = np.asarray(picture()).astype(">u2") * 257
    return png(48, 32, 16, b"".join(b"\0" + row.tobytes() for row in pixels))


def see_through() -> Image.Image:
    """Return the picture on a layer that is see-through where it would be blue."""
    image = picture("RGBA")
    image.putpixel((0, 0), (0, 0, 255, 0))
    return image


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held sideways: show it turned by 90° to the right
    return saved(picture().transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif, quality=98)


ZOO: dict[str, tuple[Callable[[], bytes], str]] = {
    "cmyk.jpg": (lambda: saved(picture("CMYK"), "JPEG", quality=98), "colours of print (CMYK)"),
    "alpha.png": (lambda: saved(see_through(), "PNG"), "see-through parts, shown on white"),
    "deep.png": (sixteen_bits, "more than 8 bits a channel"),
    "palette.png": (lambda: saved(picture().quantize(4), "PNG"), "a palette of colours"),
    "turned.jpg": (turned, "turned upright as the camera says"),
    "moving.webp": (
        lambda: saved(
            picture(), "WEBP", lossless=True, save_all=True, append_images=[picture("L")]
        ),
        "several pages or frames, of which the first is taken",
    ),
    "pages.tif": (
        lambda: saved(picture(), "TIFF", save_all=True, append_images=[picture()]),
        "several pages or frames",
    ),
    "really_png.jpg": (lambda: saved(picture(), "PNG"), "ending is that of another format"),
}
BROKEN: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty.jpg": (lambda: b"", "the file is empty"),
    "text.png": (lambda: b"<html>not found</html>", "it is not a JPEG, PNG"),
    "gif.png": (lambda: saved(picture("P"), "GIF"), "it is not a JPEG, PNG"),
    "script.jpg": (lambda: b"%!PS-Adobe-3.0\n(/etc/passwd) run", "it is not a JPEG, PNG"),
    "cut.jpg": (lambda: saved(picture(size=(400, 300)), "JPEG")[:900], "the file is cut short"),
    "bomb.png": (lambda: png(60_000, 60_000, 8, bytes(1_000)), "it has too many pixels"),
    "vast.png": (lambda: png(9_400, 9_500, 8, bytes(1_000)), "more than 89,000,000"),
    "flipped.png": (
        lambda: png(48, 32, 8, bytes(32 * 145)).replace(zlib.compress(bytes(32 * 145)), b"x" * 9),
        "cannot be unpacked",
    ),
}


@pytest.fixture
def tidy(tmp_path: Path) -> Path:
    """Return a folder of two classes with many small photos, all of them plain."""
    for name in ("good", "bad"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(52):
            image = Image.new("RGB", (4, 4), (number, 255 - number, 80 * (name == "bad")))
            image.save(tmp_path / "photos" / name / f"{number:02}.bmp")
    return tmp_path / "photos"


@pytest.mark.parametrize("name", ZOO)
def test_every_way_to_save_a_picture_gives_the_same_pixels(name: str) -> None:
    found = decode(ZOO[name][0]())
    expected = np.asarray(picture()).transpose(2, 0, 1).astype(int)
    assert found.shape == expected.shape
    away = np.abs(found - expected)[:, 1:, 1:]
    assert away[:, ::8, ::8].max() <= 12 and np.median(away) <= 6


def test_odd_photos_are_said_once_by_their_kind(tidy: Path) -> None:
    for name, (make, _) in ZOO.items():
        (tidy / "good" / name).write_bytes(make())
    notes = [note for note in find_images(tidy).notes if "no plain picture" in note]
    assert len(notes) == 1 and "8 photos are no plain pictures" in notes[0]
    assert "in training and in every prediction" in notes[0]
    for _, words in ZOO.values():
        assert words in notes[0], words


def test_plain_photos_are_not_spoken_of(tidy: Path) -> None:
    assert find_images(tidy).notes == []


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_one_broken_photo_in_a_hundred_is_left_out_and_named(tidy: Path, name: str) -> None:
    make, words = BROKEN[name]
    (tidy / "bad" / name).write_bytes(make())
    with pytest.raises(DataError, match=words):
        decode(tidy / "bad" / name)
    if name in ("cut.jpg", "flipped.png"):
        return  # the header is sound: found when it is unpacked, see below
    index = find_images(tidy)
    assert len(index) == 104 and index.num_broken == 1
    assert f"bad/{name}" in index.notes[0] and words in index.notes[0]


def test_more_than_one_broken_photo_in_a_hundred_is_refused_with_all_named(tidy: Path) -> None:
    for name in ("empty.jpg", "text.png"):
        (tidy / "bad" / name).write_bytes(BROKEN[name][0]())
    with pytest.raises(DataError, match="2 of 106 photos cannot be read, which is more than 1 in"):
        find_images(tidy)


def test_photos_that_break_only_when_unpacked_count_too(
    photo_run: Finished, tmp_path: Path
) -> None:
    photos = small.photos(tmp_path / "photos")
    (photos / "red" / "cut.jpg").write_bytes(BROKEN["cut.jpg"][0]())
    with pytest.raises(DataError, match="1 of 43 photos cannot be read") as error:
        treadle.fit(photos, cache=tmp_path / "cache", threads=1, out=tmp_path / "run")
    assert "red/cut.jpg: the file is cut short" in error.value.message
    assert not list((tmp_path / "run").glob("checkpoints/*"))


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_serving_sees_and_refuses_exactly_what_training_did(
    photo_run: Finished, tmp_path: Path
) -> None:
    """An odd photo is answered to the bit as its twin is: the pixels it decodes to, as a PNG."""
    for name, (make, _) in (ZOO | BROKEN).items():
        (tmp_path / name).write_bytes(make())
    for name in ZOO:
        pixels = Image.fromarray(decode(tmp_path / name).transpose(1, 2, 0))
        (tmp_path / f"twin_of_{name}.png").write_bytes(saved(pixels, "PNG"))
    found = photo_run.run.predict(tmp_path)
    by_name = {row["file"]: row for row in found.iter_rows(named=True)}
    for name, (_, words) in BROKEN.items():
        assert words in by_name[name]["problem"] and by_name[name]["prediction"] is None
    for name in ZOO:
        twin = by_name[f"twin_of_{name}.png"]
        assert by_name[name]["problem"] is None
        assert by_name[name]["probability_red"] == twin["probability_red"]


def test_what_was_evened_out_and_left_out_is_in_the_journal_and_the_report(
    photo_run: Finished, tmp_path: Path
) -> None:
    photos = small.photos(tmp_path / "photos", each=40)
    (photos / "red" / "cmyk.jpg").write_bytes(ZOO["cmyk.jpg"][0]())
    (photos / "blue" / "cut.jpg").write_bytes(BROKEN["cut.jpg"][0]())
    run = treadle.fit(
        photos, cache=tmp_path / "cache", until="1 epoch", threads=1, out=tmp_path / "run"
    )
    told = [line["sentence"] for line in run.journal]
    page = (run.path / "report.html").read_text(encoding="utf-8")
    for words in ("colours of print (CMYK)", "blue/cut.jpg: the file is cut short"):
        assert sum(words in sentence for sentence in told) == 1
        assert words in page
    assert sum(run.result["rows"].values()) == 121
    assert explain(run.path)


def test_hidden_and_nested_and_other_files_are_passed_over(tidy: Path) -> None:
    for name in ("good/.hidden.png", "good/.DS_Store", ".git/a.png", "good/Thumbs.db"):
        (tidy / name).parent.mkdir(exist_ok=True)
        (tidy / name).write_bytes(b"x")
    assert find_images(tidy).notes == []
    (tidy / "good/deeper").mkdir()
    (tidy / "good/deeper/a.png").write_bytes(saved(picture(), "PNG"))
    (tidy / "good/model.pkl").write_bytes(b"x")
    notes = " ".join(find_images(tidy).notes)
    assert "1 photo in sub-folders of good/ were left out" in notes and "model.pkl" in notes
    _, files = list_photos(tidy)
    assert Path("good/deeper/a.png") in files and Path("good/.hidden.png") not in files


def test_a_file_too_large_for_a_photo_is_not_read(
    tidy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tidy / "good/huge.tif").open("wb") as file:
        file.truncate(photo.BYTES_LIMIT + 1)  # a gigabyte of nothing, and no bytes on the disk
    monkeypatch.setattr(Path, "read_bytes", _refuse_large(Path.read_bytes))
    index = find_images(tidy)
    assert "good/huge.tif: it has 1,073,741,825 bytes" in index.notes[0]


def _refuse_large(read: Callable[[Path], bytes]) -> Callable[[Path], bytes]:
    def reading(path: Path) -> bytes:
        assert path.stat().st_size < 1 << 20, path
        return read(path)

    return reading


def test_a_pipe_among_the_photos_of_a_table_stops_nothing(tidy: Path) -> None:
    import os

    os.mkfifo(tidy / "pipe.png")
    rows = [f"{name}/{number:02}.bmp,{name}" for name in ("good", "bad") for number in range(52)]
    table = tidy / "list.csv"
    table.write_text("\n".join(["path,label", *rows, "pipe.png,good"]))
    assert "pipe.png: it is not a file" in " ".join(find_images(table).notes)


def test_features_do_not_depend_on_how_a_photo_was_reached(tidy: Path) -> None:
    """The digest that the cache goes by is that of the file; equal files have equal features."""
    copy = tidy / "bad" / "copy.png"
    copy.write_bytes(saved(picture(), "PNG"))
    first, again = decode(copy, (32, 32)), decode(copy.read_bytes(), (32, 32))
    assert torch.from_numpy(first).equal(torch.from_numpy(again))
