"""Rows whose numbers are far beyond all others: looked for once, where the data is in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

MOST_NUMBERS = 20_000_000
SAMPLED = 1_024
FEW = 0.02
"""The share of rows that may reach too far: where more do, these numbers are spread like that."""

USUAL = 0.9
"""Of the sampled rows, the share that does not reach beyond what is usual."""


def wild_rows(tensors: dict[str, Tensor]) -> tuple[int, float]:
    """Return how many rows hold numbers far beyond the others', and how many times as far.

    (0, 0.0) where there are none, or more numbers than can be looked at in passing.
    """
    from treadle.watch.reach import WILD

    most = (0, 0.0)
    for tensor in tensors.values():
        if not tensor.is_floating_point() or not 0 < tensor.numel() <= MOST_NUMBERS:
            continue
        reach_N = _reaches(tensor.detach().reshape(len(tensor), -1).float())
        few = reach_N[:: max(1, len(reach_N) // SAMPLED)]
        usual = float(few.kthvalue(max(1, round(USUAL * len(few)))).values)
        far = reach_N > WILD * usual
        count = int(far.sum())
        if usual > 0 and 0 < count <= max(1, FEW * len(reach_N)):
            most = max(most, (count, float(reach_N[far].median()) / usual))
    return most


def _reaches(x_NF: Any) -> Any:
    """Return by how many times its column's usual number each row's farthest is, float32 [N]."""
    import torch

    size_NF = torch.nan_to_num(x_NF.abs(), nan=0.0, posinf=1e30, neginf=1e30)
    few = size_NF[:: max(1, len(size_NF) // SAMPLED)]
    return (size_NF / _middle(few)).amax(1)


def _middle(few_NF: Any) -> Any:
    """Return the median of each column's numbers that are not zero; that of all where none was
    sampled."""
    import torch

    nan = torch.where(few_NF > 0, few_NF, torch.nan)
    middle = nan.nanmedian(0).values
    whole = nan.nanmedian()
    return torch.where(middle.isnan(), whole, middle).nan_to_num(1.0).clamp_min(1e-30)
