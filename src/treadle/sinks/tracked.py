"""Which run of a tracking service belongs to a run folder, and a configuration in flat form."""

from __future__ import annotations

from collections.abc import Iterator

from treadle.contracts import Json
from treadle.folder import RunFolder

FILE = "tracked.json"


def remembered(run: RunFolder, service: str) -> str | None:
    """Return the service's own identifier for this run folder, if one was remembered."""
    return (run.read_json(FILE) or {}).get(service)


def remember(run: RunFolder, service: str, identifier: str) -> None:
    """Keep the identifier in the run folder, so that a resumed run goes on in the same place."""
    run.write_json(FILE, (run.read_json(FILE) or {}) | {service: identifier})


def flat(value: Json, above: str = "") -> Iterator[tuple[str, object]]:
    """Yield ("options.lr", 0.001) for {"options": {"lr": 0.001}}; what is absent is left out."""
    for name, inner in value.items():
        if isinstance(inner, dict):
            yield from flat(inner, f"{above}{name}.")
        elif inner is not None:
            yield f"{above}{name}", inner
