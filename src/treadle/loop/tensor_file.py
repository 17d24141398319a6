"""Tensors as the bytes of a safetensors file; `treadle.tensors` reads them.

Writing is done here, not by the safetensors library, for three reasons: the thread that saves
calls no torch (a second thread in torch slows the training beside it), the hash is that of the
bytes that were meant (they are never read back), and the same open file is written and synced.

Source: the format of safetensors: the header's length as uint64, a JSON header, the tensors.
"""

from __future__ import annotations

import json
import struct
import sys

import torch
from torch import Tensor

from treadle.errors import SaveError
from treadle.tensors import DTYPES, MOST_NAME_LETTERS, MOST_TENSORS

Parts = list[bytes | memoryview]
ALIGNMENT_BYTES = 8
NAMES = {getattr(torch, word): name for name, (word, _) in DTYPES.items()}


def to_parts(tensors: dict[str, Tensor]) -> Parts:
    """Return a file's bytes in parts; those of contiguous tensors on the CPU are not copied.

    Raises: SaveError naming what could not be read back: a tensor of a type that the format does
        not have, too long a name, too many tensors.
    """
    if len(tensors) > MOST_TENSORS or max(map(len, tensors), default=0) > MOST_NAME_LETTERS:
        raise SaveError(
            f"a state of {len(tensors):,} tensors, the longest name of which has "
            f"{max(map(len, tensors)):,} letters, cannot be saved.",
            f"A file holds up to {MOST_TENSORS:,} with names of {MOST_NAME_LETTERS:,} letters.",
        )
    # the widest types first: so each tensor begins where a reader may map it into memory
    ordered = sorted(tensors.items(), key=lambda item: (-item[1].element_size(), item[0]))
    header: dict[str, object] = {}
    parts: Parts = []
    end = 0
    for name, tensor in ordered:
        start, end = end, end + tensor.numel() * tensor.element_size()
        header[name] = {
            "dtype": _type_name(name, tensor),
            "shape": list(tensor.shape),
            "data_offsets": [start, end],
        }
        parts.append(_raw(tensor))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % ALIGNMENT_BYTES)
    return [struct.pack("<Q", len(text)) + text, *parts]


def _type_name(name: str, tensor: Tensor) -> str:
    if tensor.dtype not in NAMES:
        kind = str(tensor.dtype).removeprefix("torch.")
        raise SaveError(
            f"the tensor '{name}' is of type {kind}, which a checkpoint cannot hold.",
            f"Keep it as one of: {', '.join(NAMES.values())}.",
        )
    return NAMES[tensor.dtype]


def _raw(tensor: Tensor) -> memoryview:
    flat = tensor.detach().contiguous().reshape(-1)
    if flat.numel() == 0:  # torch views no empty tensor as another type
        return memoryview(b"")
    in_bytes = flat.view(torch.uint8)
    if tensor.dtype == torch.bool:  # memory never written to may hold other bytes than 0 and 1
        in_bytes = in_bytes.ne(0).view(torch.uint8)
    array = in_bytes.numpy()
    if sys.byteorder == "big":
        array = array.reshape(-1, tensor.element_size())[:, ::-1].copy().reshape(-1)
    return array.data
