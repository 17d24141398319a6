"""Stands in for MLflow: keeps in memory what its client is told."""

from types import SimpleNamespace
from typing import Any

calls: list[tuple[Any, ...]] = []
broken = False


class MlflowClient:
    def __init__(self, tracking_uri: str | None = None) -> None:
        calls.append(("client", tracking_uri))

    def get_experiment_by_name(self, name: str) -> None:
        return None

    def create_experiment(self, name: str) -> str:
        calls.append(("experiment", name))
        return "7"

    def create_run(self, experiment_id: str, run_name: str) -> SimpleNamespace:
        calls.append(("run", experiment_id, run_name))
        return SimpleNamespace(info=SimpleNamespace(run_id="abc"))

    def update_run(self, run_id: str, status: str) -> None:
        calls.append(("status", run_id, status))

    def log_batch(self, run_id: str, metrics: tuple = (), params: tuple = ()) -> None:
        if broken:
            raise ConnectionError("the server went away.")
        calls.extend(("metric", m.key, m.value, m.step) for m in metrics)
        calls.extend(("parameter", p.key, p.value) for p in params)

    def set_tag(self, run_id: str, key: str, value: str) -> None:
        calls.append(("tag", key, value))

    def set_terminated(self, run_id: str) -> None:
        calls.append(("end", run_id))
