"""What really runs, is opened and is called while a run is made, looked at and resumed.

Python tells an audit hook of every file it opens, module it loads and address it connects to.
"""

from __future__ import annotations

import json
import os
import site
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests import small

WATCHED = Path(__file__).with_name("watched.py")
ROOT = WATCHED.parents[2]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("watched")


@pytest.fixture(scope="module")
def seen(place: Path) -> dict[str, list[str]]:
    """Return what happened, by the name of the event."""
    small.customers().write_csv(place / "customers.csv")
    small.purchases().write_csv(place / "purchases.csv")
    small.photos(place / "photos")
    home = place / "home"
    home.mkdir()
    environment = {name: word for name, word in os.environ.items() if "proxy" not in name.lower()}
    ran = subprocess.run(
        [sys.executable, str(WATCHED), str(place)],
        capture_output=True,
        text=True,
        env=environment | {"HOME": str(home), "OMP_NUM_THREADS": "1"},
        cwd=place,
    )
    assert ran.returncode == 0, ran.stderr[-2_000:]
    found: dict[str, list[str]] = json.loads(ran.stdout.splitlines()[-1])
    assert len(list(place.glob("*/report.html"))) == 3  # the whole life was lived
    return found


def installed() -> tuple[str, ...]:
    """Return where code of Python, of packages and of this project lies."""
    paths = [*sysconfig.get_paths().values(), *site.getsitepackages(), sys.prefix, sys.base_prefix]
    real = [os.path.realpath(path) for path in paths]
    return tuple({*paths, *real, str(ROOT / "src"), str(WATCHED)})


def test_nothing_is_unpickled(seen: dict[str, list[str]]) -> None:
    assert seen.get("pickle.find_class", []) == []


def test_nobody_is_called(seen: dict[str, list[str]]) -> None:
    """No telemetry, no look for a newer version, no weights fetched."""
    network = ("socket.connect", "socket.getaddrinfo", "socket.bind", "socket.sendto")
    for event in (*network, "socket.gethostbyname", "urllib.Request", "webbrowser.open"):
        assert seen.get(event, []) == [], event


def test_code_comes_from_what_is_installed_alone(seen: dict[str, list[str]], place: Path) -> None:
    assert len(seen["exec"]) > 500  # the hook saw the imports
    of_files = [path for path in seen["exec"] if not path.startswith("<")]
    outside = [path for path in of_files if not path.startswith((*installed(), "frozen "))]
    assert outside == []
    assert not [path for path in seen["exec"] if str(place) in path]


def test_native_code_comes_from_what_is_installed_alone(
    seen: dict[str, list[str]], place: Path
) -> None:
    native = [*seen.get("ctypes.dlopen", []), *(p for p in seen["import"] if p.endswith(".so"))]
    assert len(native) > 20
    assert not [path for path in native if str(place) in path]


def test_no_other_program_is_started(seen: dict[str, list[str]]) -> None:
    for event in ("os.system", "os.exec", "os.posix_spawn", "os.fork", "shutil.unpack_archive"):
        assert seen.get(event, []) == [], event
    assert seen.get("subprocess.Popen", []) == []


def test_files_are_written_in_the_runs_the_answers_and_the_cache_alone(
    seen: dict[str, list[str]], place: Path
) -> None:
    written = [words.removeprefix("write ") for words in seen["open"] if words.startswith("write")]
    assert any("config.json" in path for path in written)
    allowed = [str(place / name) for name in ("table", "images", "events", "cache")]
    allowed += [str(place / f".{kind}.csv") for kind in ("table", "images", "events")]
    allowed += ["/dev/null", os.environ["TREADLE_DATA"]]  # what came of forecasts
    assert [path for path in written if not path.startswith(tuple(allowed))] == []


def test_of_a_persons_files_only_what_was_named_is_read(
    seen: dict[str, list[str]], place: Path
) -> None:
    """Beside the data: what is installed, and what the system says of processor and memory."""
    read = [words.removeprefix("read ") for words in seen["open"] if words.startswith("read")]
    paths = [path for path in read if path.startswith("/")]
    allowed = (*installed(), str(place), "/proc", "/sys", "/dev", "/etc", "/usr", "/lib")
    allowed += (os.environ["TREADLE_DATA"],)  # what came of forecasts
    assert [path for path in paths if not path.startswith(allowed)] == []
    assert not [path for path in read if path.startswith(str(place / "home"))]
