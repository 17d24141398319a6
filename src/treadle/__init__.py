"""Treadle: the training loop for every model that must keep learning.

    import treadle
    run = treadle.fit("customers.csv", target="left")
    run = treadle.fit(module, (x, y), loss="cross_entropy", until="20 epochs")

Names are loaded when first used: importing this touches no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_NAMES = {
    "fit": "treadle.api.fit",
    "load": "treadle.api.load",
    "log": "treadle.api.log",
    "Run": "treadle.api.run",
    "check": "treadle.api.check",
    "collect": "treadle.api.collect",
    "worth_of": "treadle.api.worth_of",
    "compare": "treadle.api.compare",
    "turn": "treadle.loop.loop",
    "TrainState": "treadle.loop.state",
    "EagerStep": "treadle.loop.step",
    "CompiledStep": "treadle.loop.compiled",
    "StepOptions": "treadle.loop.step",
    "side_by_side": "treadle.loop.side_by_side",
    "RowAdam": "treadle.loop.row_adam",
    "TensorSource": "treadle.data.batches",
    "epochs": "treadle.loop.until",
    "steps": "treadle.loop.until",
    "minutes": "treadle.loop.until",
    "reaches": "treadle.loop.until",
    "no_better_for": "treadle.loop.until",
    "parse_until": "treadle.loop.until",
    "constant": "treadle.loop.schedules",
    "warmup_cosine": "treadle.loop.schedules",
    "one_cycle": "treadle.loop.schedules",
    "warmup_stable_decay": "treadle.loop.schedules",
    "plateau": "treadle.loop.schedules",
    "TreadleError": "treadle.errors",
    "UserError": "treadle.errors",
}
__all__ = ["__version__", *_NAMES]  # noqa: PLE0604 they are strings


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module 'treadle' has no attribute '{name}'")
    found = getattr(
        importlib.import_module(_NAMES[name]), "parse" if name == "parse_until" else name
    )
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)


if TYPE_CHECKING:
    from treadle.api.check import check as check
    from treadle.api.collect import collect as collect
    from treadle.api.compare import compare as compare
    from treadle.api.fit import fit as fit
    from treadle.api.load import load as load
    from treadle.api.log import log as log
    from treadle.api.run import Run as Run
    from treadle.api.worth_of import worth_of as worth_of
    from treadle.data.batches import TensorSource as TensorSource
    from treadle.errors import TreadleError as TreadleError
    from treadle.errors import UserError as UserError
    from treadle.loop.compiled import CompiledStep as CompiledStep
    from treadle.loop.loop import turn as turn
    from treadle.loop.row_adam import RowAdam as RowAdam
    from treadle.loop.schedules import constant as constant
    from treadle.loop.schedules import one_cycle as one_cycle
    from treadle.loop.schedules import plateau as plateau
    from treadle.loop.schedules import warmup_cosine as warmup_cosine
    from treadle.loop.schedules import warmup_stable_decay as warmup_stable_decay
    from treadle.loop.side_by_side import side_by_side as side_by_side
    from treadle.loop.state import TrainState as TrainState
    from treadle.loop.step import EagerStep as EagerStep
    from treadle.loop.step import StepOptions as StepOptions
    from treadle.loop.until import epochs as epochs
    from treadle.loop.until import minutes as minutes
    from treadle.loop.until import no_better_for as no_better_for
    from treadle.loop.until import parse as parse_until  # noqa: F401
    from treadle.loop.until import reaches as reaches
    from treadle.loop.until import steps as steps
