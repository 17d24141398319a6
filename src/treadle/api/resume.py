"""`treadle resume`: go on with a run, from what its folder says and nothing else."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from treadle.api.fit_data import fit_data
from treadle.api.options import FitOptions
from treadle.api.run import Run
from treadle.api.training import Observer
from treadle.errors import OptionError, RunError
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
        return _call(module_from, path)
    recorded = dict(config["options"])
    if not recorded["data"]:
        raise RunError(
            f"the data of the run at {path} came from Python, so only Python can give it again.",
            "Call treadle.fit(…, out=…, resume=True) with the same data.",
        )
    if until or data:
        recorded |= {"until": until or recorded["until"], "data": list(data) or recorded["data"]}
        folder.write_json("config.json", config | {"options": recorded})
    options = FitOptions.of(recorded | {"out": str(path), "kind": config["kind"]})
    return fit_data(options, resume=True, not_exact=not_exact, observer=observer)


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
