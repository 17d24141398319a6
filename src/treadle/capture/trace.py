"""Tracing: a function of tensors becomes a graph of operators, with no Python left in it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeAlias

import torch
from torch import Tensor
from torch.fx import GraphModule, Node

TensorFunction: TypeAlias = "Callable[[list[Tensor]], Sequence[Tensor]]"
"""Takes a flat list of tensors, may change them in place, returns others."""


class CannotCapture(Exception):
    """Why a function cannot be captured, as the end of "the step stays as it is: …"."""


def trace(function: TensorFunction, tensors: Sequence[Tensor]) -> GraphModule:
    """Return what `function` does to tensors of these shapes, dtypes and strides.

    Nothing is computed. In-place changes of `tensors` stay, gathered at the graph's end; gradients
    asked for inside are part of the graph; what Python decided on the way is decided for good.

    Raises: CannotCapture where the function needs a tensor's values to know how to go on, or uses
    tensors that it was not given.
    """
    from torch._inductor.decomposition import select_decomp_table
    from torch.fx.experimental.proxy_tensor import make_fx

    def flat(*given: Tensor) -> tuple[Tensor, ...]:
        return tuple(function(list(given)))

    examples = [tensor.detach() for tensor in tensors]
    with warnings.catch_warnings(), _without_onednn():
        warnings.simplefilter("ignore")
        try:
            graph = make_fx(flat, tracing_mode="fake", _allow_non_fake_inputs=True)(*examples)
            _refuse_outside_tensors(graph)
            without_views_changed = torch.func.functionalize(graph, remove="mutations")
            graph = make_fx(
                without_views_changed,
                tracing_mode="fake",
                decomposition_table=select_decomp_table(),
                _allow_non_fake_inputs=True,
            )(*examples)
        except CannotCapture:
            raise
        except Exception as error:
            raise CannotCapture(_reason(error)) from error
    graph.graph.eliminate_dead_code()
    graph.recompile()
    return graph


@contextmanager
def _without_onednn() -> Iterator[None]:
    """Let layers be taken apart into plain operators.

    oneDNN keeps a work space of its own between an LSTM's two passes, which a graph cannot hold.
    """
    enabled = bool(torch.backends.mkldnn.enabled)
    torch._C._set_mkldnn_enabled(False)
    try:
        yield
    finally:
        torch._C._set_mkldnn_enabled(enabled)


def is_random(graph: GraphModule) -> bool:
    """Tell whether the graph draws random numbers."""
    tag = torch.Tag.nondeterministic_seeded
    return any(tag in getattr(node.target, "tags", ()) for node in graph.graph.nodes)


def _refuse_outside_tensors(graph: GraphModule) -> None:
    """Refuse tensors that the function found elsewhere: their values would be frozen unnoticed.

    A number turned into a tensor on the spot is copied first, and is a constant.
    """
    for node in graph.graph.nodes:
        if node.op == "get_attr" and not all(map(_is_fresh_copy, node.users)):
            found = getattr(graph, str(node.target), None)
            shape = list(found.shape) if isinstance(found, Tensor) else "?"
            raise CannotCapture(
                f"it uses a tensor of shape {shape} that is neither a parameter nor a buffer of "
                "the module nor part of the batch (register_buffer makes it one)"
            )


def _is_fresh_copy(node: Node) -> bool:
    return node.target in (
        torch.ops.aten.lift_fresh_copy.default,
        torch.ops.aten.lift_fresh.default,
    )


READS_VALUES = ("DataDependentOutput", "DynamicOutputShape", "GuardOnDataDependent")


def _reason(error: Exception) -> str:
    """Return why tracing failed, in words where the reason is a known one."""
    kind = type(error).__name__
    if kind.startswith(READS_VALUES) or "data-dependent" in str(error):
        return "on its way it looks at a number inside a tensor, or lets one decide a shape"
    lines = [line for line in str(error).splitlines() if line.strip()]
    return f"tracing it ended with {kind}: {lines[0].strip() if lines else 'no message'}"
