"""MLflow: one MLflow run for a run folder, also across resumes."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

from treadle.contracts import Json
from treadle.folder import RunFolder
from treadle.sinks.tracked import flat, remember, remembered

OPTIONS = ("tracking_uri", "experiment")
MOST_PARAMETERS = 100  # of one call
LONGEST_VALUE = 500


class MlflowPlace:
    """Writes metrics, parameters and, as a tag, the newest sentence."""

    def __init__(self, run: RunFolder, config: Json, options: Mapping[str, str]) -> None:
        self.run = run
        self.config = config
        self.options = options
        self._client: Any = None
        self._id = ""

    def begin(self, step: int) -> None:
        if self._client:
            return
        from mlflow import MlflowClient

        self._client = MlflowClient(tracking_uri=self.options.get("tracking_uri"))
        self._id = remembered(self.run, "mlflow") or self._create()
        self._client.update_run(self._id, status="RUNNING")

    def curve(self, step: int, epoch: int, values: Mapping[str, float]) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        points = {**values, "epoch": float(epoch)}
        metrics = [Metric(allowed(name), value, now, step) for name, value in points.items()]
        self._client.log_batch(self._id, metrics=metrics)

    def words(self, step: int, topic: str, sentence: str) -> None:
        self._client.set_tag(self._id, f"treadle.{allowed(topic)}", f"step {step:,}: {sentence}")

    def end(self) -> None:
        self._client.set_terminated(self._id)

    def _create(self) -> str:
        from mlflow.entities import Param

        name = self.options.get("experiment", "treadle")
        found = self._client.get_experiment_by_name(name)
        experiment = found.experiment_id if found else self._client.create_experiment(name)
        made = self._client.create_run(experiment, run_name=self.run.name)
        number: str = made.info.run_id
        remember(self.run, "mlflow", number)
        parameters = [
            Param(allowed(key), str(value)[:LONGEST_VALUE]) for key, value in flat(self.config)
        ]
        self._client.log_batch(number, params=parameters[:MOST_PARAMETERS])
        return number


def allowed(name: str) -> str:
    """Return a name as MLflow takes it: hit@10 becomes hit_at_10."""
    return re.sub(r"[^\w\-. /]", "_", name.replace("@", "_at_"))


def open_place(run: RunFolder, config: Json, options: Mapping[str, str]) -> MlflowPlace:
    return MlflowPlace(run, config, options)
