"""Importing is lazy: a name, and a word of help, cost no torch."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ["torch", "lightgbm", "sklearn", "polars", "numpy", "scipy", "pandas", "PIL"]
COMPILER = ["torch._dynamo", "torch._inductor", "torch.onnx", "sympy", "networkx"]
FOR_LATER = ["jinja2", "markupsafe", "matplotlib", "mlflow", "tensorboard", "wandb", "PIL"]
TABLES_ALONE = ["lightgbm", "sklearn", "scipy", "pandas"]
FIRST_STEP = """
import sys, tempfile, treadle, treadle.api.training as training
def turn(state, source, step, watchers, until):
    step(state, next(iter(source.batches(state.cursor)))[0])
    raise KeyboardInterrupt
training.turn = turn
rows = range(1_200)
table = {{"x": [(7 * i) % 31 for i in rows], "kind": ["ab"[i % 2] for i in rows],
         "day": [f"2024-01-{{1 + i % 28:02d}}" for i in rows], "y": [i % 3 == 0 for i in rows]}}
log = {{"user": [f"u{{i * 7 % 41}}" for i in rows], "item": [f"i{{i * i % 97}}" for i in rows],
       "time": [f"2024-{{1 + i // 200:02d}}-{{1 + i // 8 % 25:02d}} 10:00" for i in rows]}}
with tempfile.TemporaryDirectory() as folder:
    try:
        treadle.fit({what}, out=f"{{folder}}/run")
        raise AssertionError("the loop was not turned")
    except treadle.TreadleError as error:
        assert type(error).__name__ == "Interrupted", error
"""
TELL = "import sys, json\n{work}\nprint(json.dumps([m for m in {heavy} if m in sys.modules]))"


def loaded_after(work: str, heavy: list[str] = HEAVY) -> list[str]:
    """Return the heavy packages that a fresh process has loaded after some work."""
    code = TELL.format(work=work, heavy=heavy)
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


@pytest.mark.parametrize(
    ("what", "needless"),
    [
        ('table, target="y", model="neural"', ["lightgbm"]),
        ('table, target="y"', []),
        ('log, kind="events"', TABLES_ALONE),
    ],
    ids=["network", "trees", "events"],
)
def test_a_fit_takes_its_first_step_without_what_is_for_later(
    what: str, needless: list[str]
) -> None:
    work = FIRST_STEP.format(what=what)
    assert loaded_after(work, [*COMPILER, *FOR_LATER, *needless]) == []


def test_every_public_name_can_be_had() -> None:
    import treadle

    assert all(getattr(treadle, name) is not None for name in treadle.__all__)
    with pytest.raises(AttributeError, match="no attribute 'fitt'"):
        _ = treadle.fitt  # type: ignore[attr-defined]
