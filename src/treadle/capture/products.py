"""Matrix products by oneDNN where torch's own library is slow: on processors that are not Intel's.

torch multiplies float32 matrices by MKL, which takes on AMD's processors a path of half their
rate (measured at 2048³ on an EPYC of the fifth generation: 205 against 455 GFLOP/s, at equal
error). oneDNN, which torch has with it as well, does not. The rule is a function of the processor
and the shapes alone, not of a clock: a resumed run must come to the same code.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule, Node

FEWEST_OPERATIONS = 2_000_000
"""M · N · K from which oneDNN wins; it packs its operands at each call."""

FEWEST_OPERATIONS_TURNED = 50_000_000
"""The same where the left operand lies transposed, as in the gradient of a layer's weight."""


def pays_off() -> bool:
    """Tell whether products go by oneDNN here: AMD's processors, a torch that has it."""
    return vendor() == "AuthenticAMD" and bool(torch.backends.mkldnn.is_available())


@functools.cache
def vendor() -> str:
    """Return the processor's maker as it names itself, or nothing."""
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text().splitlines() if facts.exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("vendor_id")), "")


@torch.library.custom_op("treadle::product", mutates_args=())
def product(left: Tensor, right: Tensor, bias: Tensor | None) -> Tensor:
    """Return left [M, K] times right [K, N], plus bias [N]; float32, by oneDNN."""
    made: Tensor = torch.ops.mkldnn._linear_pointwise(left, right.t(), bias, "none", [], "")
    return made


@product.register_fake
def _(left: Tensor, right: Tensor, bias: Tensor | None) -> Tensor:
    return left.new_empty(left.shape[0], right.shape[1])


def by_onednn(graph: GraphModule) -> int:
    """Let the graph's large float32 products go by oneDNN; return how many there were."""
    aten, turned = torch.ops.aten, 0
    for node in list(graph.graph.nodes):
        if node.target is aten.mm.default:
            operands: list[Any] = [*node.args, None]
        elif node.target is aten.addmm.default and not node.kwargs:
            operands = [*node.args[1:], node.args[0]]
        else:
            continue
        if not _is_worth(*operands):
            continue
        with graph.graph.inserting_before(node):
            new = graph.graph.call_function(torch.ops.treadle.product.default, tuple(operands))
        new.meta = dict(node.meta)
        node.replace_all_uses_with(new)
        graph.graph.erase_node(node)
        turned += 1
    graph.recompile()
    return turned


def _is_worth(left: Node, right: Node, bias: Node | None) -> bool:
    a, b = left.meta["val"], right.meta["val"]
    if a.dtype != torch.float32 or b.dtype != torch.float32:
        return False
    if bias is not None and bias.meta["val"].ndim != 1:
        return False
    lies_straight = a.stride(-1) == 1
    fewest = FEWEST_OPERATIONS if lies_straight else FEWEST_OPERATIONS_TURNED
    return int(a.shape[0]) * int(a.shape[1]) * int(b.shape[1]) >= fewest


def register() -> None:
    """Tell Inductor how `product` becomes a call from compiled code."""
    from torch._inductor import ir, lowering, mkldnn_ir

    if torch.ops.treadle.product.default in lowering.lowerings:
        return

    class Product(mkldnn_ir.LinearUnary):
        """oneDNN takes operands in any layout: none is copied for it."""

        @classmethod
        def of(cls, left: Any, turned: Any, bias: Any) -> Any:
            left, turned = cls.realize_input(left), cls.realize_input(turned)
            inputs, constants = [left, turned], ["none", [-1], ""]
            if bias is None:
                constants.insert(0, None)  # type: ignore[arg-type]
            else:
                inputs.append(cls.require_contiguous(cls.realize_input(bias)))
            size = [left.get_size()[0], turned.get_size()[0]]
            layout = ir.FixedLayout(device=left.get_device(), dtype=left.get_dtype(), size=size)
            return mkldnn_ir._create_output_node(cls(layout, inputs, constants))

    def lower(left: Any, right: Any, bias: Any) -> Any:
        turned = lowering.permute(right, [1, 0])
        return ir.TensorBox.create(Product.of(left, turned, bias))

    lowering.register_lowering(torch.ops.treadle.product.default, type_promotion_kind=None)(lower)
