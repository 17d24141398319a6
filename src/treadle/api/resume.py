"""`treadle resume`: go on with a run, from what its folder says and nothing else."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from treadle.api.asked_before import asked_before, options_of
from treadle.api.fit_data import fit_data
from treadle.api.run import Run
from treadle.api.training import Observer
from treadle.contracts import Json
from treadle.errors import OptionError, RunError, UserError
from treadle.folder import RunFolder


def resume(
    path: Path,
    *,
    until: str | None = None,
    module_from: str | None = None,
    data: Sequence[str] = (),
    not_exact: bool = False,
    observer: Observer | None = None,
) -> Run:
    """Go on with the run at `path`, exactly where its newest whole checkpoint stands.

    until:       go on longer than was asked at first
    module_from: for an engineer's own module, "file.py:function"; the function is called and must
                 call treadle.fit(…, resume=True) and return its run
    data:        where the data lies now, if it was moved

    Raises: RunError when there is no run, it cannot be resumed, or something it depends on changed.
    """
    folder = RunFolder.open(path)
    config = folder.config
    if config["kind"] == "module":
        if until or data or not_exact:
            raise OptionError(
                f"the run at {path} trained a module of your own: --until, --data and --not-exact "
                "cannot reach into your function.",
                "Say them where it calls treadle.fit(…, resume=True).",
            )
        return _call(module_from, path)
    if (whole := RunFolder(folder.path.absolute().parent.parent)).is_run:
        raise RunError(
            f"{path} is one part of the run at {whole.path}.",
            f"Go on with the whole: treadle resume {whole.path}",
        )
    if folder.result is not None and not until:
        _say(observer, f"the run at {path} is finished already; --until makes it go on longer.")
        return Run(path)
    asked = asked_before(folder, data) | ({"until": until} if until else {})
    options = options_of(folder, asked)
    with _recorded(folder, config, asked):
        return fit_data(options, resume=True, not_exact=not_exact, observer=observer)


@contextlib.contextmanager
def _recorded(folder: RunFolder, config: Json, asked: Json) -> Iterator[None]:
    """Record what is asked for now; when going on is refused, what was recorded before stays."""
    if asked == config["options"]:
        yield
        return
    folder.write_json("config.json", config | {"options": asked})
    try:
        yield
    except UserError:
        folder.write_json("config.json", config)
        raise


def _say(observer: Observer | None, sentence: str) -> None:
    if observer is not None:
        observer.line({"topic": "resume", "step": 0, "time": "", "sentence": sentence})


def _call(module_from: str | None, path: Path) -> Run:
    """Call the user's function; it is theirs to say what is run, never the run folder's."""
    if module_from is None or ":" not in module_from:
        raise OptionError(
            f"the run at {path} trained a module of your own, and a run keeps no code.",
            "Give --from FILE.py:FUNCTION, whose function calls treadle.fit(…, resume=True).",
        )
    file, name = module_from.rsplit(":", 1)
    if not Path(file).is_file():
        raise OptionError(f"--from {module_from}: there is no file {file}.")
    spec = importlib.util.spec_from_file_location("treadle_resumed", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    function: Any = getattr(module, name, None)
    if not callable(function):
        raise OptionError(f"--from {module_from}: {file} has no function '{name}'.")
    run = function()
    if not isinstance(run, Run):
        raise OptionError(
            f"--from {module_from}: {name}() returned a {type(run).__name__}.",
            "It must return what treadle.fit returns.",
        )
    return run
