"""Products by oneDNN: the same numbers, in the same places, and only where it pays."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from treadle.capture.products import by_onednn, product
from treadle.capture.trace import trace

pytestmark = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available(), reason="this torch has no oneDNN"
)


def layer(tensors: list[Tensor]) -> list[Tensor]:
    """A layer's output, and the gradients of its input, weight and bias."""
    x, weight, bias = (tensor.detach().requires_grad_() for tensor in tensors)
    output = functional.linear(x, weight, bias)
    return [output.detach(), *torch.autograd.grad(output.square().sum(), [x, weight, bias])]


def operands(rows: int, inputs: int, outputs: int, dtype: torch.dtype) -> list[Tensor]:
    torch.manual_seed(0)
    shapes = (rows, inputs), (outputs, inputs), (outputs,)
    return [torch.randn(shape).to(dtype) for shape in shapes]


@pytest.mark.parametrize(
    ("rows", "inputs", "outputs", "dtype", "expected"),
    [
        (512, 384, 384, torch.float32, 3),  # forward, and both gradients
        (256, 128, 128, torch.float32, 2),  # too small for the one that lies transposed
        (16, 32, 32, torch.float32, 0),
        (512, 384, 384, torch.float64, 0),
    ],
)
def test_large_products_go_by_onednn_and_come_out_the_same(
    rows: int, inputs: int, outputs: int, dtype: torch.dtype, expected: int
) -> None:
    tensors = operands(rows, inputs, outputs, dtype)
    graph = trace(layer, tensors)
    assert by_onednn(graph) == expected
    for found, wanted in zip(graph(*tensors), layer(tensors), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-2)
    assert by_onednn(graph) == 0, "what was replaced is not found again"


def test_a_product_takes_operands_in_any_layout() -> None:
    torch.manual_seed(0)
    left, right, bias = torch.randn(7, 5), torch.randn(5, 3), torch.randn(3)
    for a in (left, left.t().contiguous().t()):
        for b in (right, right.t().contiguous().t()):
            torch.testing.assert_close(product(a, b, None), left @ right)
            torch.testing.assert_close(product(a, b, bias), left @ right + bias)
