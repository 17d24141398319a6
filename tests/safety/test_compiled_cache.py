"""Compiled code is loaded from the user's own folder alone, and only files that nobody else wrote.

To load a library is to run it: its first function is called before anything can be looked at.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from treadle.capture import package
from treadle.capture.package import default_cache, find, load, private
from treadle.capture.trace import CannotCapture

MARK = """
#include <stdio.h>
__attribute__((constructor)) static void ran(void) { fclose(fopen("{mark}", "w")); }
"""


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return private(tmp_path / "compiled")


@pytest.fixture
def hostile(tmp_path: Path) -> tuple[Path, Path]:
    """Return a library that leaves a mark when it is loaded, and the mark."""
    compiler = shutil.which("gcc") or shutil.which("cc") or shutil.which("g++")
    if compiler is None:
        pytest.skip("no compiler here")
    mark, source = tmp_path / "mark", tmp_path / "hostile.c"
    source.write_text(MARK.replace("{mark}", str(mark)))
    library = tmp_path / "hostile.so"
    subprocess.run([compiler, "-shared", "-fPIC", str(source), "-o", str(library)], check=True)
    library.chmod(0o700)
    return library, mark


def test_the_cache_is_the_users_own_and_never_in_a_run() -> None:
    assert default_cache() == Path.home() / ".cache" / "treadle" / "compiled"


def test_a_new_folder_is_closed_to_others(cache: Path) -> None:
    assert cache.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777])
def test_a_folder_that_others_may_write_to_is_refused(cache: Path, mode: int) -> None:
    cache.chmod(mode)
    for use in (lambda: private(cache), lambda: find("a", cache), lambda: load(cache / "a.so")):
        with pytest.raises(CannotCapture, match="others may write"):
            use()


def test_a_folder_of_another_person_is_refused(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getuid", lambda: cache.stat().st_uid + 1)
    with pytest.raises(CannotCapture, match="others may write"):
        private(cache)


def test_a_folder_that_is_a_link_is_refused(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(cache)
    with pytest.raises(CannotCapture, match="is a link"):
        private(tmp_path / "link")


def test_code_that_others_may_write_to_or_that_is_a_link_is_neither_found_nor_loaded(
    cache: Path, hostile: tuple[Path, Path]
) -> None:
    library, mark = hostile
    code = cache / "key.so"
    code.symlink_to(library)
    assert find("key", cache) is None
    with pytest.raises(CannotCapture, match="not loaded"):
        load(code)
    for mode in (0o720, 0o702):
        code.unlink()
        shutil.copy(library, code)
        code.chmod(mode)
        assert find("key", cache) is None
        with pytest.raises(CannotCapture, match="not loaded"):
            load(code)
    assert not mark.exists()
    code.chmod(0o700)  # the same file, as the compiler leaves it, is loaded: the check decides
    assert find("key", cache) == code
    with pytest.raises(CannotCapture):
        load(code)
    assert mark.exists()


@pytest.mark.parametrize("what", ["folder", "pipe", "nothing"])
def test_what_is_no_file_is_no_code(cache: Path, what: str) -> None:
    code = cache / "key.so"
    if what == "folder":
        code.mkdir(mode=0o700)
    if what == "pipe":
        os.mkfifo(code, 0o700)
    assert find("key", cache) is None
    assert not package._is_ours(code)
