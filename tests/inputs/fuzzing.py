"""How hard to try: few examples in every test run, many where TREADLE_FUZZ_EXAMPLES says so."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings

from treadle.errors import TreadleError

DEADLINE_MILLISECONDS = 20_000
EXAMPLES = int(os.environ.get("TREADLE_FUZZ_EXAMPLES", "0"))


def tries(count: int) -> settings:
    """Return hypothesis settings: `count` examples, or as many as the environment asks for.

    What takes longer than the deadline counts as hanging.
    """
    return settings(
        max_examples=EXAMPLES or count,
        deadline=DEADLINE_MILLISECONDS,
        derandomize=not EXAMPLES,
        database=None,
        suppress_health_check=[
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
            HealthCheck.function_scoped_fixture,
        ],
    )


def result_or_refusal(call: Callable[[], Any]) -> Any:
    """Return what `call` returns, or None when it refuses in words; anything else is a fault."""
    try:
        return call()
    except TreadleError as error:
        if not error.message.strip():
            raise RuntimeError("a refusal without words") from error
        return None
