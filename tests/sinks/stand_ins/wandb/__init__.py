"""Stands in for Weights & Biases: keeps in memory what a run is told."""

from types import SimpleNamespace
from typing import Any

calls: list[tuple[Any, ...]] = []
api = SimpleNamespace(api_key="")


class Settings(SimpleNamespace):
    mode = "online"


class Run:
    id = "xyz"

    def __init__(self) -> None:
        self.summary: dict[str, str] = {}

    def define_metric(self, name: str, step_metric: str) -> None:
        calls.append(("axis", name, step_metric))

    def log(self, values: dict[str, float]) -> None:
        calls.append(("log", values))

    def finish(self) -> None:
        calls.append(("end", self.summary))


def init(**given: Any) -> Run:
    calls.append(("init", given))
    return Run()
