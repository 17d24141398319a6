"""What the repository promises about itself."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "src").rglob("*.py"))
README = (ROOT / "README.md").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
HEAVY = {"torch", "lightgbm", "sklearn", "polars"}


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))


def requirement_name(line: str) -> str:
    return re.split(r"[\[<>=!~ ]", line, maxsplit=1)[0].lower().replace("_", "-")


def constraints() -> list[str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def cli_commands() -> dict[str, str]:
    """Return each command's name and help text, options included."""
    import typer.main

    from treadle.cli.main import app

    group = typer.main.get_command(app)
    found: dict[str, str] = {}
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        found[name] = " ".join(option for parameter in command.params for option in parameter.opts)
    return found


def test_readme_opens_with_the_demo_and_the_tests() -> None:
    first_block = README.split("```bash\n")[1].split("```")[0]
    assert [line.split("#")[0].strip() for line in first_block.splitlines()] == [
        "make demo",
        "make test",
    ]


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_every_make_command_in_a_document_is_a_target(document: str) -> None:
    text = (ROOT / document).read_text()
    named = set(re.findall(r"^make ([a-z-]+)", text, re.MULTILINE))
    named |= set(re.findall(r"`make ([a-z-]+)`", text))
    assert named - make_targets() == set()


def test_continuous_integration_runs_the_test_command_of_the_readme() -> None:
    script = ROOT / ".ci" / "run"
    assert "make test" in script.read_text().splitlines()
    assert os.access(script, os.X_OK)


def test_every_command_is_in_the_readme_and_every_command_there_exists() -> None:
    commands = cli_commands()
    documented = {name for name in commands if f"`{name}`" in README}
    assert set(commands) - documented == set()
    used = set(re.findall(r"(?:^|`)treadle ([a-z-]+)", README, re.MULTILINE))
    assert used - set(commands) == set()


def test_every_option_in_the_readme_exists() -> None:
    known = set(" ".join(cli_commands().values()).split()) | {"--help", "--index-url"}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", README)) - known == set()


def test_every_requirement_has_one_exact_pin() -> None:
    pinned = [requirement_name(line) for line in constraints()]
    assert [line for line in constraints() if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []
    assert sorted(pinned) == sorted(set(pinned))
    extras = PROJECT["optional-dependencies"].values()
    wanted = [*PROJECT["dependencies"], *(line for extra in extras for line in extra)]
    assert {requirement_name(line) for line in wanted} - set(pinned) == set()


def test_set_up_names_no_host_and_no_local_path() -> None:
    for name in ("Makefile", "constraints.txt", "pyproject.toml", ".ci/run"):
        text = (ROOT / name).read_text()
        assert re.findall(r"https?://|file:|--index-url|--find-links|/opt/|/home/", text) == []


def test_version_is_said_once() -> None:
    import treadle

    assert treadle.__version__ == PROJECT["version"]


@pytest.mark.parametrize(
    "code",
    [
        "import treadle",
        "import treadle.cli.main",
        "from treadle.cli.main import main; main(['-h'])",
    ],
)
def test_importing_and_asking_for_help_load_nothing_heavy(code: str) -> None:
    script = f"import sys, atexit\natexit.register(lambda: print(*sys.modules, sep='\\n'))\n{code}"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert HEAVY & set(ran.stdout.splitlines()) == set()


def test_the_loop_fits_on_one_screen() -> None:
    assert len((ROOT / "src/treadle/loop/loop.py").read_text().splitlines()) <= 50


def test_no_function_is_longer_than_fifty_lines() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {length} lines"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and (length := body_lines(node)) > 50
    ]
    assert long == []


def body_lines(function: ast.FunctionDef) -> int:
    """Return the lines of a function without its signature and docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_nothing_is_unpickled() -> None:
    plain_load = r"torch\.load\((?!.*weights_only=True)"
    forbidden = re.compile(rf"\b(import pickle|{plain_load}|joblib\.load|allow_pickle=True)")
    assert [str(path) for path in SOURCES if forbidden.search(path.read_text())] == []


def test_no_column_of_a_known_data_set_is_in_the_code() -> None:
    telling = (
        "isFraud|TransactionDT|TransactionAmt|time_hour|arr_delay|dep_delay|tailnum|sched_dep_time"
        "|capital_gain|marital_status|hours_per_week|native_country|household_id|MT_Free"
    )
    found = re.compile(rf"\b({telling})\b", re.IGNORECASE)
    assert [str(path) for path in SOURCES if found.search(path.read_text())] == []
