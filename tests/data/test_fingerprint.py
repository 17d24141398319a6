from __future__ import annotations

from pathlib import Path

import polars as pl

from treadle.data.fingerprint import fingerprint


def test_files_are_told_by_their_bytes(tmp_path: Path) -> None:
    one, other = tmp_path / "a.csv", tmp_path / "b.csv"
    one.write_text("a\n1\n")
    other.write_text("a\n1\n")
    before = fingerprint([one])
    assert before["sha256"] == fingerprint([other])["sha256"] and before["bytes"] == 4
    one.write_text("a\n2\n")
    assert fingerprint([one])["sha256"] != before["sha256"]
    assert fingerprint([one, other])["sha256"] != fingerprint([other, one])["sha256"]


def test_frames_are_told_by_their_cells_and_their_order() -> None:
    frame = pl.DataFrame({"a": [1, 2, None], "b": ["x", "y", "z"]})
    print_ = fingerprint(frame)
    assert print_["rows"] == 3 and print_["columns"] == ["a", "b"]
    assert (
        print_["sha256"] == fingerprint(frame.select("b", pl.col("a").cast(pl.Float64)))["sha256"]
    )
    changed = frame.with_columns(b=pl.Series(["x", "y", "Z"]))
    for different in (frame.reverse(), frame.rename({"a": "c"}), changed):
        assert fingerprint(different)["sha256"] != print_["sha256"]


def test_the_fingerprint_does_not_change_between_versions() -> None:
    known = "a4c8887a782b679a"
    assert fingerprint(pl.DataFrame({"a": [1.5, None], "b": ["x", "y"]}))["sha256"][:16] == known
