"""Importing is lazy: a name, and a word of help, cost no torch."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ["torch", "lightgbm", "sklearn", "polars", "numpy", "scipy", "pandas", "PIL"]
TELL = "import sys, json\n{work}\nprint(json.dumps([m for m in {heavy} if m in sys.modules]))"


def loaded_after(work: str) -> list[str]:
    """Return the heavy packages that a fresh process has loaded after some work."""
    code = TELL.format(work=work, heavy=HEAVY)
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found: list[str] = json.loads(ran.stdout.splitlines()[-1])
    return found


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert (
        loaded_after("import treadle; dir(treadle); treadle.__version__; treadle.UserError") == []
    )


@pytest.mark.parametrize("module", ["contracts", "errors", "folder", "lock", "goal", "cli.main"])
def test_what_everyone_may_import_loads_nothing_heavy(module: str) -> None:
    assert loaded_after(f"import treadle.{module}") == []


@pytest.mark.parametrize("arguments", [["--help"], ["fit", "--help"], ["--version"]])
def test_a_word_of_help_loads_nothing_heavy(arguments: list[str]) -> None:
    work = "\n".join(
        [
            "from treadle.cli.main import main",
            "try:",
            f"    main({arguments!r})",
            "except SystemExit as end:",
            "    assert end.code == 0, end.code",
        ]
    )
    assert loaded_after(work) == []


def test_every_public_name_can_be_had() -> None:
    import treadle

    assert all(getattr(treadle, name) is not None for name in treadle.__all__)
    with pytest.raises(AttributeError, match="no attribute 'fitt'"):
        _ = treadle.fitt  # type: ignore[attr-defined]
