"""Random generators of the process, as tensors."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor


def seed_all(seed: int) -> None:
    """Seed the generators of torch (every device), numpy and Python."""
    torch.manual_seed(seed)
    np.random.seed(seed % (1 << 32))
    random.seed(seed)


def generator_states() -> dict[str, Tensor]:
    """Return the state of every generator of the process, as uint8 or int64 tensors."""
    states = {"torch": torch.get_rng_state()}
    for number in range(torch.cuda.device_count() if torch.cuda.is_initialized() else 0):
        states[f"cuda:{number}"] = torch.cuda.get_rng_state(number)
    _, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    states["numpy"] = torch.from_numpy(np.append(np.asarray(keys, np.int64), [position, has_gauss]))
    states["numpy_gauss"] = torch.tensor([cached], dtype=torch.float64)
    version, internal, gauss = random.getstate()
    states["python"] = torch.tensor([version, *internal], dtype=torch.int64)
    states["python_gauss"] = torch.tensor([] if gauss is None else [gauss], dtype=torch.float64)
    return states


def set_generator_states(states: dict[str, Tensor]) -> None:
    """Put every generator back to a state that `generator_states` returned."""
    torch.set_rng_state(states["torch"])
    for name, state in states.items():
        if name.startswith("cuda:") and torch.cuda.is_available():
            torch.cuda.set_rng_state(state, name)
    *keys, position, has_gauss = states["numpy"].tolist()
    cached = float(states["numpy_gauss"])
    np.random.set_state(("MT19937", np.array(keys, dtype=np.uint32), position, has_gauss, cached))
    version, *internal = states["python"].tolist()
    gauss = states["python_gauss"].tolist()
    random.setstate((version, tuple(internal), gauss[0] if gauss else None))


@contextmanager
def kept_generators() -> Iterator[None]:
    """Let what is drawn inside leave every generator of the process as it was.

    Importing a library may draw (scikit-learn does), and a resumed run imports at other steps.
    """
    states = generator_states()
    try:
        yield
    finally:
        set_generator_states(states)
