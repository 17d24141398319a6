"""A finished run, in Python: its result, its curves, its journal, its predictions."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from treadle.contracts import Json
from treadle.errors import RunError
from treadle.folder import RunFolder

if TYPE_CHECKING:
    from torch import nn


class Run:
    """What `treadle.fit` and `treadle.load` return.

    path:   the run folder
    module: the trained module, for a run of an engineer's own module; the best weights are in it
    """

    def __init__(self, path: Path | str, module: nn.Module | None = None) -> None:
        self.folder = RunFolder.open(path)
        self._module = module

    def __repr__(self) -> str:
        metric = self.result.get("metric") or {}
        measured = (
            f", {metric['name']} {metric.get('test') or metric.get('validation')}" if metric else ""
        )
        return f"Run({str(self.path)!r}{measured})"

    @property
    def path(self) -> Path:
        return self.folder.path

    @property
    def result(self) -> Json:
        """What `fit --json` prints. Raises: RunError when the run has not been finished."""
        found = self.folder.result
        if found is None:
            raise RunError(
                f"the run at {self.path} was not finished, so it has no result yet.",
                f"Go on with: treadle resume {self.path}",
            )
        return found

    @property
    def verdicts(self) -> list[Json]:
        """What was noticed of the training, the surest first: [] for a sound one."""
        found: list[Json] = self.result.get("verdicts", [])
        return found

    @property
    def metrics(self) -> list[Json]:
        """The curves: one point a validation, with step, epoch and values by name."""
        return self.folder.metrics()

    @property
    def journal(self) -> list[Json]:
        """What was noticed and decided, line by line."""
        return self.folder.events()

    @property
    def module(self) -> nn.Module:
        """The trained module. Raises: RunError when this run has none to give back."""
        if self._module is not None:
            return self._module
        raise RunError(
            f"the run at {self.path} keeps weights, not code, so it cannot build the module.",
            "Give the module that was trained: treadle.load(run, module=…).",
        )

    def predict(self, data: Any, *, reasons: int = 0, top: int | None = None) -> Any:
        """Return predictions for new data: a table as a polars DataFrame; a tensor for a module.

        reasons: how many reasons each row, photo or suggestion gets, in `reason_1`, `reason_2` …
        top:     how many suggestions each user gets; 10, where nothing is said

        Raises: OptionError for what a model of its kind cannot be asked; DataError.
        """
        if reasons or top is not None:
            from treadle.api.predict import refuse_reasons, refuse_top

            kind = self._kind
            if reasons:
                refuse_reasons(kind)
            if top is not None:
                refuse_top(kind)
                return self._predictor.predict(data, reasons=reasons, top=top)
            return self._predictor.predict(data, reasons=reasons)
        if self._module is not None:
            from treadle.api.fit_module import predict_module

            return predict_module(self._module, data)
        return self._predictor.predict(data)

    @property
    def _kind(self) -> str:
        from treadle.serve.predictor import read_facts

        return "module" if self._module is not None else read_facts(self.path / "model")["kind"]

    @cached_property
    def _predictor(self) -> Any:
        from treadle.serve.predictor import load_predictor

        return load_predictor(self.path / "model")
