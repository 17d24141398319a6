"""Finding photos, unpacking them, and keeping their features."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from treadle.data import feature_cache, photo
from treadle.data.feature_cache import FeatureCache
from treadle.data.images import find_images, list_photos
from treadle.data.photo import decode, digest
from treadle.data.photo_features import read_features, sample_photos
from treadle.data.split import SplitRule, split
from treadle.errors import DataError


def save(path: Path, value: int | NDArray[np.generic] = 0, size: tuple[int, int] = (8, 6)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(value, int):
        value = np.full((size[1], size[0], 3), value, dtype=np.uint8)
    Image.fromarray(value).save(path)
    return path


@pytest.fixture
def two_classes(tmp_path: Path) -> Path:
    for number in range(4):
        save(tmp_path / "good" / f"{number}.png", number)
        save(tmp_path / "bad" / f"{number}.jpg", 100 + 20 * number)
    return tmp_path


class TestFindingAFolder:
    def test_labels_are_the_sub_folders(self, two_classes: Path) -> None:
        index = find_images(two_classes)
        assert index.classes == ["bad", "good"]
        assert index.labels == ["bad"] * 4 + ["good"] * 4
        assert index.files[0] == Path("bad/0.jpg")
        assert index.targets.tolist() == [0] * 4 + [1] * 4
        assert index.sizes == [(8, 6)] * 8
        assert index.hashes[4] == digest((two_classes / "good/0.png").read_bytes())
        assert index.notes == []

    def test_the_frame_for_the_splitter_keeps_copies_together(self, two_classes: Path) -> None:
        for number in range(20):
            save(two_classes / "good" / f"more{number}.png", 50 + number)
            save(two_classes / "bad" / f"more{number}.png", 80 + number)
        for name in ("copy1.png", "copy2.png"):
            (two_classes / "good" / name).write_bytes((two_classes / "good/1.png").read_bytes())
        index = find_images(two_classes)
        rule = SplitRule(content=("hash",))
        parts = split(index.frame(), rule, "label")
        copies = {i for i, content in enumerate(index.hashes) if index.hashes.count(content) > 1}
        assert len(copies) == 3
        assert any(copies <= set(rows) for rows in (parts.train, parts.validation, parts.test))

    def test_what_systems_leave_behind_is_passed_over(self, two_classes: Path) -> None:
        for name in ("good/.DS_Store", "good/Thumbs.db", "good/._0.png", ".git/x", "__MACOSX/y"):
            (two_classes / name).parent.mkdir(exist_ok=True)
            (two_classes / name).write_bytes(b"x")
        assert len(find_images(two_classes)) == 8
        assert find_images(two_classes).notes == []

    def test_an_unreadable_photo_is_left_out_and_named(self, two_classes: Path) -> None:
        for number in range(191):
            save(two_classes / "good" / f"more{number}.bmp", number)
        (two_classes / "good/broken.png").write_bytes(b"no picture")
        index = find_images(two_classes)
        assert len(index) == 199 and index.num_broken == 1
        assert "1 photo could not be read and was left out" in index.notes[0]
        assert "broken.png: it is not a JPEG" in index.notes[0]

    def test_more_than_one_in_a_hundred_is_refused(self, two_classes: Path) -> None:
        (two_classes / "good/broken.png").write_bytes(b"no picture")
        (two_classes / "good/empty.png").write_bytes(b"")
        with pytest.raises(DataError, match="2 of 10 photos cannot be read") as error:
            find_images(two_classes)
        assert "broken.png: it is not a JPEG" in error.value.message
        assert "empty.png: the file is empty" in error.value.message

    def test_loose_deep_and_foreign_files_are_said(self, two_classes: Path) -> None:
        save(two_classes / "loose.png")
        save(two_classes / "good/more/deep.png")
        (two_classes / "good/notes.txt").write_text("x")
        (two_classes / "unused").mkdir()
        notes = " ".join(find_images(two_classes).notes)
        assert "have no class and were left out, loose.png the first" in notes
        assert "1 photo in sub-folders of good/" in notes
        assert "1 file in good/ left out, notes.txt the first" in notes
        assert "unused/ has no photos" in notes

    def test_copies_across_classes_are_conflicting_labels(self, two_classes: Path) -> None:
        (two_classes / "bad/copy.png").write_bytes((two_classes / "good/1.png").read_bytes())
        notes = find_images(two_classes).notes
        assert "1 photo is an exact copy of another" in notes[0]
        assert "conflicting labels" in notes[1]
        assert "good/1.png [good]" in notes[1]

    def test_masks_are_noticed(self, two_classes: Path) -> None:
        save(two_classes / "bad/0.png", 7)
        for number in range(3):
            save(two_classes / "masks" / f"{number}.png", 200 + number)
        notes = " ".join(find_images(two_classes).notes)
        assert "class masks" in notes
        assert "0 with .jpg and .png" in notes

    def test_leaving_out_broken_ones_later_keeps_all_lists_together(
        self, two_classes: Path
    ) -> None:
        index = find_images(two_classes).without({1: "it is cut short."})
        assert len(index) == len(index.labels) == len(index.hashes) == len(index.sizes) == 7
        assert "bad/1.jpg: it is cut short" in index.notes[-1]
        with pytest.raises(DataError, match="bad has 2 photos"):
            index.without({0: "x"})


class TestRefusingAFolder:
    def test_no_such_path_names_what_is_there(self, tmp_path: Path) -> None:
        save(tmp_path / "shots/a.png")
        with pytest.raises(DataError, match="no such file or folder") as error:
            find_images(tmp_path / "photos")
        assert "shots" in error.value.hint

    def test_no_photos_says_what_was_found(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_text("x")
        with pytest.raises(DataError, match=r"no photos in this folder; it holds 1 of \.txt"):
            find_images(tmp_path)

    def test_one_class_is_not_enough(self, tmp_path: Path) -> None:
        for number in range(3):
            save(tmp_path / "good" / f"{number}.png", number)
        with pytest.raises(DataError, match=r"only one class was found: good \(3\)"):
            find_images(tmp_path)

    def test_a_class_of_two_is_too_small(self, two_classes: Path) -> None:
        save(two_classes / "rare/1.png", 1)
        save(two_classes / "rare/2.png", 2)
        with pytest.raises(DataError, match="rare has 2 photos"):
            find_images(two_classes)

    def test_photos_in_the_folder_itself_have_no_class(self, tmp_path: Path) -> None:
        save(tmp_path / "a.png")
        with pytest.raises(DataError, match="1 photo in the folder itself") as error:
            find_images(tmp_path)
        assert "one sub-folder a class" in error.value.hint

    def test_a_folder_too_high_names_the_right_one(self, tmp_path: Path) -> None:
        save(tmp_path / "images/good/a.png")
        with pytest.raises(DataError, match="too deep") as error:
            find_images(tmp_path)
        assert str(tmp_path / "images") in error.value.hint

    def test_folders_already_split_are_recognised(self, tmp_path: Path) -> None:
        save(tmp_path / "train/good/a.png")
        save(tmp_path / "test/good/a.png")
        with pytest.raises(DataError) as error:
            find_images(tmp_path)
        assert f"give {tmp_path / 'train'}" in error.value.hint


class TestCsv:
    def write(self, folder: Path, text: str) -> Path:
        path = folder / "list.csv"
        path.write_text(text, encoding="utf-8-sig")
        return path

    def rows(self, separator: str = ",") -> str:
        files = [f"good/{n}.png{separator}ok" for n in range(4)]
        return "\n".join([*files, *(f"bad/{n}.jpg{separator}nok" for n in range(4))])

    @pytest.mark.parametrize("separator", [",", ";", "\t"])
    def test_columns_are_told_by_what_they_hold(self, two_classes: Path, separator: str) -> None:
        path = self.write(two_classes, f"what{separator}kind\n{self.rows(separator)}\n")
        index = find_images(path)
        assert index.classes == ["nok", "ok"]
        assert index.files[0] == Path("good/0.png")

    def test_missing_files_and_labels_are_said(self, two_classes: Path) -> None:
        path = self.write(two_classes, f"path,label\n{self.rows()}\ngone.png,ok\ngood/1.png,\n")
        index = find_images(path)
        assert len(index) == 8
        assert "1 row without a path or a label" in " ".join(index.notes)
        assert "gone.png: there is no such file" in " ".join(index.notes)

    def test_mostly_missing_files_are_refused(self, two_classes: Path) -> None:
        path = self.write(two_classes, "path,label\nx/1.png,a\nx/2.png,b\n")
        with pytest.raises(DataError, match="2 of its 2 photos do not exist"):
            find_images(path)

    def test_several_columns_need_a_name(self, two_classes: Path) -> None:
        path = self.write(two_classes, "path,one,two\ngood/1.png,a,b\n")
        with pytest.raises(DataError, match="not plain") as error:
            find_images(path)
        assert "--target" in error.value.hint
        with pytest.raises(DataError, match="no column tow") as error:
            find_images(path, target="tow")
        assert "two" in error.value.hint

    def test_no_column_of_paths(self, two_classes: Path) -> None:
        with pytest.raises(DataError, match="no column holds paths"):
            find_images(self.write(two_classes, "a,b\n1,2\n"))

    def test_new_photos_keep_the_rows_in_order(self, two_classes: Path) -> None:
        path = self.write(two_classes, "path\ngood/1.png\ngone.png\nbad/0.jpg\n")
        assert list_photos(path) == (
            two_classes,
            [Path("good/1.png"), Path("gone.png"), Path("bad/0.jpg")],
        )


def test_new_photos_of_a_folder_are_found_at_any_depth(two_classes: Path) -> None:
    save(two_classes / "a.png")
    _, files = list_photos(two_classes)
    assert len(files) == 9 and files[0] == Path("a.png")
    assert list_photos(two_classes / "a.png") == (two_classes, [Path("a.png")])


class TestDecode:
    @pytest.mark.parametrize("ending", ["png", "jpg", "webp", "bmp", "tif"])
    def test_every_format_in_colour_and_grey(self, tmp_path: Path, ending: str) -> None:
        colour = np.zeros((16, 24, 3), dtype=np.uint8)
        colour[..., 0] = 200
        assert abs(decode(save(tmp_path / f"c.{ending}", colour))[0].mean() - 200) < 6
        pixels = decode(save(tmp_path / f"g.{ending}", np.full((16, 24), 90, dtype=np.uint8)))
        assert pixels.shape == (3, 16, 24) and pixels.dtype == np.uint8
        assert np.ptp(pixels, axis=0).max() <= 1

    def test_resized_to_width_and_height(self, tmp_path: Path) -> None:
        assert decode(save(tmp_path / "a.jpg", size=(400, 300)), (64, 32)).shape == (3, 32, 64)

    def test_sixteen_bits_are_scaled_by_the_range_they_fill(self, tmp_path: Path) -> None:
        full = np.array([[0, 65535]], dtype=np.uint16)
        twelve = np.array([[0, 4095]], dtype=np.uint16)
        for number, values in enumerate((full, twelve)):
            for ending in ("png", "tif"):
                path = tmp_path / f"{number}.{ending}"
                Image.fromarray(values).save(path)
                assert decode(path)[0].tolist() == [[0, 255]]

    def test_float_grey_is_scaled(self, tmp_path: Path) -> None:
        Image.fromarray(np.array([[0.0, 1.0]], dtype=np.float32)).save(tmp_path / "a.tif")
        Image.fromarray(np.array([[-5.0, 5.0]], dtype=np.float32)).save(tmp_path / "b.tif")
        assert decode(tmp_path / "a.tif")[0].tolist() == [[0, 255]]
        assert decode(tmp_path / "b.tif")[0].tolist() == [[0, 255]]

    def test_transparent_shows_white(self, tmp_path: Path) -> None:
        image = Image.new("RGBA", (2, 1), (10, 20, 30, 255))
        image.putpixel((1, 0), (10, 20, 30, 0))
        image.save(tmp_path / "a.png")
        assert decode(tmp_path / "a.png")[:, 0].T.tolist() == [[10, 20, 30], [255, 255, 255]]

    def test_palette_with_transparency(self, tmp_path: Path) -> None:
        image = Image.new("P", (2, 1))
        image.putpalette([10, 20, 30, 40, 50, 60])
        image.putpixel((1, 0), 1)
        image.save(tmp_path / "a.png", transparency=1)
        assert decode(tmp_path / "a.png")[:, 0].T.tolist() == [[10, 20, 30], [255, 255, 255]]

    def test_turned_upright_by_exif(self, tmp_path: Path) -> None:
        image = Image.new("RGB", (64, 32), (0, 0, 0))
        exif = image.getexif()
        exif[0x0112] = 6
        image.save(tmp_path / "a.jpg", exif=exif)
        assert decode(tmp_path / "a.jpg").shape == (3, 64, 32)
        assert photo.photo_size((tmp_path / "a.jpg").read_bytes()) == (32, 64)

    def test_one_bit_and_cmyk(self, tmp_path: Path) -> None:
        Image.new("1", (4, 4), 1).save(tmp_path / "a.png")
        Image.new("CMYK", (4, 4), (0, 0, 0, 0)).save(tmp_path / "a.jpg")
        assert decode(tmp_path / "a.png").min() == 255
        assert decode(tmp_path / "a.jpg").min() > 250

    def test_too_many_pixels_are_refused_unpacked(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(photo, "PIXELS_LIMIT", 40)
        with pytest.raises(DataError, match="8 × 6 pixels, more than 40"):
            decode(save(tmp_path / "a.png"))

    def test_pillows_own_alarm_is_an_error_of_ours(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
        with pytest.raises(DataError, match="too many pixels"):
            decode(save(tmp_path / "a.png"))

    def test_a_file_cut_short_is_an_error(self, tmp_path: Path) -> None:
        noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
        path = save(tmp_path / "a.jpg", noise)
        path.write_bytes(path.read_bytes()[:1500])
        with pytest.raises(DataError, match=r"a\.jpg: the file is cut short"):
            decode(path)

    @pytest.mark.parametrize("content", [b"", b"GIF89a", b"%!PS-Adobe", b"\x89PNG\r\n\x1a\n12345"])
    def test_what_is_no_picture_is_an_error(self, content: bytes) -> None:
        with pytest.raises(DataError):
            decode(content)


def hashes_of(*numbers: int) -> list[str]:
    return [digest(str(number).encode()) for number in numbers]


class TestFeatureCache:
    def test_finds_what_was_added(self, tmp_path: Path) -> None:
        features = np.arange(12, dtype=np.float32).reshape(4, 3)
        FeatureCache(tmp_path, "k").add(hashes_of(1, 2, 3, 4), features)
        found, rows = FeatureCache(tmp_path, "k").look_up(hashes_of(4, 9, 1, 4))
        assert found.tolist() == [True, False, True, True]
        assert np.array_equal(rows, features[[3, 0, 0, 3]] * found[:, None])

    def test_counts_what_it_knows_and_passes_over_what_is_broken(self, tmp_path: Path) -> None:
        cache = FeatureCache(tmp_path, "k")
        assert cache.num_known(hashes_of(1, 2)) == 0
        cache.add(hashes_of(1, 2, 3), np.ones((3, 2), dtype=np.float32))
        (cache.folder / "torn.safetensors").write_bytes(b"x")
        assert cache.num_known(hashes_of(3, 9, 1)) == 2
        assert cache.num_known([]) == 0

    def test_another_key_knows_nothing(self, tmp_path: Path) -> None:
        FeatureCache(tmp_path, "k").add(hashes_of(1), np.ones((1, 3), dtype=np.float32))
        found, rows = FeatureCache(tmp_path, "other").look_up(hashes_of(1))
        assert not found.any() and rows.shape == (1, 0)

    def test_broken_and_half_written_shards_are_passed_over(self, tmp_path: Path) -> None:
        cache = FeatureCache(tmp_path, "k")
        for number in range(3):
            cache.add(hashes_of(number), np.full((1, 3), number, dtype=np.float32))
        first, second, _ = sorted(cache.folder.glob("*.safetensors"))
        first.write_bytes(first.read_bytes()[:-5])
        changed = bytearray(second.read_bytes())
        changed[-1] ^= 1
        second.write_bytes(bytes(changed))
        (cache.folder / "half.tmp").write_bytes(b"x")
        found, _ = cache.look_up(hashes_of(0, 1, 2))
        assert found.sum() == 1
        assert sorted(cache.broken) == [first.name, second.name]

    def test_many_small_shards_are_put_together(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(feature_cache, "_MANY_SHARDS", 4)
        cache = FeatureCache(tmp_path, "k")
        for number in range(9):
            cache.add(hashes_of(number), np.full((1, 3), number, dtype=np.float32))
        found, rows = cache.look_up(hashes_of(*range(9)))
        assert found.all() and rows[:, 0].tolist() == list(range(9))
        assert len(list(cache.folder.iterdir())) <= 5

    def test_several_writers_at_once_lose_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(feature_cache, "_MANY_SHARDS", 4)

        def write(start: int) -> None:
            for number in range(start, start + 10):
                row = np.full((1, 3), number, dtype=np.float32)
                FeatureCache(tmp_path, "k").add(hashes_of(number), row)

        writers = [threading.Thread(target=write, args=(start,)) for start in (0, 10, 20)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        found, rows = FeatureCache(tmp_path, "k").look_up(hashes_of(*range(30)))
        assert found.all() and rows[:, 0].tolist() == list(range(30))


class MeanColour:
    """A backbone of nothing: the mean of each channel."""

    key = "mean"

    def __init__(self) -> None:
        self.num_calls = 0

    def size_of(self, width: int, height: int) -> tuple[int, int]:
        return width, height

    def features(self, photos: torch.Tensor) -> torch.Tensor:
        self.num_calls += 1
        return photos.float().mean(dim=(2, 3))


class ByFours(MeanColour):
    """One that takes four photos of one shape together."""

    photos_at_once = 4

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[tuple[int, ...]] = []

    def features(self, photos: torch.Tensor) -> torch.Tensor:
        self.batches.append(tuple(photos.shape))
        return super().features(photos)


class TestReadFeatures:
    def test_photos_of_one_shape_go_together_and_rows_stay_in_order(self, tmp_path: Path) -> None:
        sizes = [(8, 6), (6, 8)]
        paths = [save(tmp_path / f"{n:02}.png", n, sizes[n % 3 == 1]) for n in range(20)]
        paths[5].write_bytes(b"x")
        maker = ByFours()
        made = read_features(paths, maker, threads=1)
        assert made.values[:, 0].tolist() == [0 if n == 5 else n for n in range(20)]
        assert set(made.problems) == {5}
        assert [shape[0] for shape in maker.batches] == [4, 4, 4, 4, 3]  # 12 and 7 of a shape

    def test_few_photos_are_shared_by_the_threads(self, two_classes: Path) -> None:
        maker = ByFours()
        read_features(find_images(two_classes).paths[4:], maker, threads=2)
        assert [shape[0] for shape in maker.batches] == [2, 2]

    def test_rows_come_in_order_and_are_kept(self, two_classes: Path, tmp_path: Path) -> None:
        paths = find_images(two_classes).paths[4:]
        seen: list[tuple[int, int]] = []
        first = read_features(
            paths, MeanColour(), cache_folder=tmp_path / "c", progress=lambda *n: seen.append(n)
        )
        again = MeanColour()
        second = read_features(paths, again, cache_folder=tmp_path / "c", hashes=first.hashes)
        assert first.values[:, 0].tolist() == [0, 1, 2, 3]
        assert np.array_equal(first.values, second.values)
        assert (first.num_cached, second.num_cached, again.num_calls) == (0, 4, 0)
        assert seen == [(done, 4) for done in range(5)]

    def test_a_broken_photo_is_a_problem_of_its_own(self, two_classes: Path) -> None:
        (two_classes / "good/1.png").write_bytes(b"x")
        paths = [two_classes / name for name in ("good/1.png", "gone.png", "good/3.png")]
        made = read_features(paths, MeanColour())
        assert set(made.problems) == {0, 1}
        assert "not a JPEG" in made.problems[0] and "no such file" in made.problems[1]
        assert made.values[:, 0].tolist() == [0, 0, 3]

    def test_a_file_changed_since_it_was_indexed_is_a_problem(self, two_classes: Path) -> None:
        index = find_images(two_classes)
        save(two_classes / "good/1.png", 77)
        made = read_features(index.paths, MeanColour(), hashes=index.hashes)
        assert list(made.problems.values()) == ["the file was changed while it was being used"]

    def test_threads_of_torch_are_left_as_they_were(self, two_classes: Path) -> None:
        before = torch.get_num_threads()
        read_features(find_images(two_classes).paths, MeanColour())
        assert torch.get_num_threads() == before

    def test_a_sample_comes_from_all_over_and_passes_over_what_is_broken(
        self, tmp_path: Path
    ) -> None:
        paths = [save(tmp_path / f"{n:02}.png", n) for n in range(21)]
        paths[10].write_bytes(b"x")
        found = sample_photos(paths, MeanColour(), 5)
        assert [int(photo[0, 0, 0]) for photo in found] == [0, 5, 15, 20]
        assert len(sample_photos(paths[:2], MeanColour(), 5)) == 2
        assert sample_photos([], MeanColour(), 5) == []

    def test_nothing_asked_nothing_made(self, tmp_path: Path) -> None:
        assert len(read_features([], MeanColour(), cache_folder=tmp_path).values) == 0
