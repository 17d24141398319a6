"""What these cores give at best: a step's matrix products alone, the peak rate, the bandwidth."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.speed import data
from benchmarks.speed.data import Spec
from benchmarks.speed.gate import Gate

Product = tuple[Tensor, Tensor, Tensor]
PEAK_SIZE = 2048
COPIED_FLOATS = 64 * 1024 * 1024


def products(spec: Spec, gate: Gate) -> None:
    """Do the matrix products of forward and backward. spec: `library`, one of LIBRARIES.

    The buffers of torch.mm are there already; oneDNN makes its own.
    """
    torch.set_num_threads(spec["threads"])
    todo = _products(spec)
    multiply = LIBRARIES[spec["library"]]

    def train(steps: int) -> None:
        with torch.no_grad():
            for _ in range(steps):
                for left, right, out in todo:
                    multiply(left, right, out)

    operations = sum(2 * a.shape[0] * a.shape[1] * b.shape[1] for a, b, _ in todo)
    facts = {
        "products": len(todo),
        "operations": operations,
        "peaks_gflops": {name: round(_peak_gflops(one), 1) for name, one in LIBRARIES.items()},
        "largest_error": _largest_error(multiply),
        "copy_gb_per_second": round(_copy_gb_per_second(), 1),
    }
    gate.serve(train, lambda: facts)


def _by_mm(left: Tensor, right: Tensor, out: Tensor) -> Tensor:
    return torch.mm(left, right, out=out)


def _by_onednn(left: Tensor, right: Tensor, out: Tensor) -> Tensor:
    """Multiply as a linear layer does, which reaches the library that torch.mm does not use."""
    found: Tensor = torch.ops.mkldnn._linear_pointwise(left, right.T, None, "none", [], "")
    return found


LIBRARIES: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "torch.mm": _by_mm,
    "oneDNN": _by_onednn,
}


def _largest_error(multiply: Callable[[Tensor, Tensor, Tensor], Tensor]) -> float:
    """Return the largest error relative to float64, which a product in bfloat16 would show."""
    left, right, out = (torch.randn(512, 512) for _ in range(3))
    exact = left.double() @ right.double()
    return float((multiply(left, right, out) - exact).abs().max() / exact.abs().max())


def _products(spec: Spec) -> list[Product]:
    """Return (left, right, out) of each: one forward, one for the weights' gradient, and one for
    the gradient that goes on to the layer before, which the first layer does not need."""
    batch = int(spec["batch"])
    found: list[Product] = []
    for place, (inputs, outputs) in enumerate(data.sizes(spec)):
        x_BI, weight_OI = torch.randn(batch, inputs), torch.randn(outputs, inputs)
        gradient_BO = torch.randn(batch, outputs)
        found.append((x_BI, weight_OI.T, torch.empty(batch, outputs)))
        found.append((gradient_BO.T, x_BI, torch.empty(outputs, inputs)))
        if place:
            found.append((gradient_BO, weight_OI, torch.empty(batch, inputs)))
    return found


def _peak_gflops(multiply: Callable[[Tensor, Tensor, Tensor], Tensor]) -> float:
    left, right, out = (torch.randn(PEAK_SIZE, PEAK_SIZE) for _ in range(3))
    with torch.no_grad():
        return 2e-9 * PEAK_SIZE**3 / _best_seconds(lambda: multiply(left, right, out))


def _copy_gb_per_second() -> float:
    """Return bytes read and written a second, in 10⁹."""
    source, target = (torch.ones(COPIED_FLOATS) for _ in range(2))
    return 2 * 4e-9 * COPIED_FLOATS / _best_seconds(lambda: target.copy_(source))


def _best_seconds(work: Callable[[], object], times: int = 5) -> float:
    found = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return min(found)
