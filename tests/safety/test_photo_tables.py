"""A table that names photos cannot reach files outside its folder, unless a person says so."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import Finished
from treadle.api.predict import predict
from treadle.data.images import find_images
from treadle.data.photo_files import inside
from treadle.errors import DataError
from treadle.serve.predictor import load_predictor


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """Return a folder with photos, beside a folder that is nobody's business."""
    for place in ("shared/photos", "private"):
        (tmp_path / place).mkdir(parents=True)
        for number in range(8):
            Image.new("RGB", (4, 4), (number * 30, 9, 9)).save(tmp_path / place / f"{number}.png")
    return tmp_path / "shared"


def table(folder: Path, *more: str) -> Path:
    rows = [f"photos/{number}.png,{'ab'[number % 2]}" for number in range(8)]
    (folder / "list.csv").write_text("\n".join(["path,label", *rows, *more]))
    return folder / "list.csv"


OUTSIDE = [
    "../private/0.png",
    "photos/../../private/0.png",
    "/etc/passwd",
    "../../../../../../etc/passwd",
    "..\\private\\0.png",
    "photos/..",
    "{private}/0.png",
    "./../private/./0.png",
]


@pytest.mark.parametrize("name", OUTSIDE[:5] + OUTSIDE[6:])
def test_a_path_that_leads_out_is_refused_with_its_line(shared: Path, name: str) -> None:
    name = name.format(private=shared.parent / "private")
    with pytest.raises(DataError, match="1 of its 9 paths lead out of") as error:
        find_images(table(shared, f"{name},a"))
    assert "line 10: " in error.value.message and "--photos" in error.value.hint


@pytest.mark.parametrize("name", OUTSIDE)
def test_the_same_in_new_data_is_a_row_with_a_problem(
    shared: Path, photo_run: Finished, name: str
) -> None:
    name = name.format(private=shared.parent / "private")
    found = photo_run.run.predict(table(shared, f"{name},a"))
    assert found.height == 9 and found["prediction"][:8].null_count() == 0
    assert found["prediction"][8] is None
    assert "leads out of" in found["problem"][8] or "not a file" in found["problem"][8]


def test_nothing_outside_is_opened(
    shared: Path, photo_run: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []
    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: opened.append(path) or read(path))
    predictor = load_predictor(photo_run.path / "model")
    opened.clear()
    predictor.predict(table(shared, "../private/0.png,a", "/etc/passwd,a"))
    assert len(opened) == 9 and all(path.resolve().is_relative_to(shared) for path in opened)


def test_a_person_may_name_the_folder_that_the_paths_lie_in(
    shared: Path, photo_run: Finished
) -> None:
    above = shared.parent
    rows = [f"{above}/shared/photos/{number}.png,{'ab'[number % 2]}" for number in range(8)]
    listed = shared / "list.csv"
    listed.write_text("\n".join(["path,label", *rows, "private/0.png,a", "../x.png,b"]))
    with pytest.raises(DataError, match="1 of its 10 paths lead out of") as error:
        find_images(listed, photos=above)
    assert "line 11: ../x.png" in error.value.message
    listed.write_text("\n".join(["path,label", *rows, "private/0.png,a"]))
    assert len(find_images(listed, photos=above)) == 9
    place, summary = predict(
        photo_run.path, [str(listed)], photos=str(above), out=above / "answers.csv"
    )
    assert (summary["rows"], summary["problems"]) == (9, 0) and place.is_file()


def test_absolute_paths_in_the_tables_own_folder_are_fine_also_through_a_link(
    shared: Path,
) -> None:
    link = shared.parent / "link"
    link.symlink_to(shared)
    for written, given in ((shared, shared), (shared, link), (link, link), (link, shared)):
        rows = [f"{written}/photos/{number}.png,{'ab'[number % 2]}" for number in range(8)]
        (shared / "list.csv").write_text("\n".join(["path,label", *rows]))
        assert len(find_images(given / "list.csv")) == 8


def test_links_in_the_folder_are_followed_and_said(shared: Path) -> None:
    """People put photos into classes by links; a link is in the folder because one was made."""
    (shared / "photos/linked.png").symlink_to(shared.parent / "private/0.png")
    (shared / "more").symlink_to(shared.parent / "private")
    notes = find_images(table(shared, "photos/linked.png,a", "more/1.png,b")).notes
    assert any("2 photos are links that lead out of" in note for note in notes)
    assert not any("links" in note for note in find_images(table(shared)).notes)


@pytest.mark.parametrize(
    "name", ["x" * 5_000, "a\0b.png", "photos/" + "y/" * 2_500, "~root/x", "photos/0.png/"]
)
def test_names_that_no_file_can_have_are_said_not_thrown(
    shared: Path, photo_run: Finished, name: str
) -> None:
    """Reading such a path raises errors of its own: name too long, a NUL inside."""
    listed = table(shared, f"{name},a")
    assert len(find_images(listed)) in (8, 9)
    assert photo_run.run.predict(listed).height == 9


def test_where_a_path_leads(tmp_path: Path) -> None:
    assert inside(tmp_path, "a/../b.png") == Path("b.png")
    assert inside(tmp_path, f"{tmp_path}/b.png") == Path("b.png")
    assert inside(tmp_path, "..") is inside(tmp_path, "/") is inside(tmp_path, "a/../../x") is None
    assert inside(tmp_path / "a", str(tmp_path / "ab" / "x")) is None
    assert inside(Path(), "b.png") == Path("b.png")
