"""Tensors from a file that anybody may have written: safetensors, every claim of it checked.

The whole file is read once, and the tensors are views of that copy: a file that is cut short or
changed while it is in use (safetensors maps it) would end the process, or change what was checked.
Nothing here can run code, and torch is only imported where tensors are made.
"""

from __future__ import annotations

import json
import math
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from treadle.errors import RunError

if TYPE_CHECKING:
    from torch import Tensor

MOST_HEADER_BYTES = 32 << 20
MOST_TENSORS = 100_000
MOST_DIMENSIONS = 32
MOST_NAME_LETTERS = 1_000
DTYPES = {  # safetensors' name → torch's, bytes an element
    "BOOL": ("bool", 1),
    "U8": ("uint8", 1),
    "I8": ("int8", 1),
    "F8_E4M3": ("float8_e4m3fn", 1),
    "F8_E5M2": ("float8_e5m2", 1),
    "I16": ("int16", 2),
    "U16": ("uint16", 2),
    "F16": ("float16", 2),
    "BF16": ("bfloat16", 2),
    "I32": ("int32", 4),
    "U32": ("uint32", 4),
    "F32": ("float32", 4),
    "I64": ("int64", 8),
    "U64": ("uint64", 8),
    "F64": ("float64", 8),
    "C64": ("complex64", 8),
}
MAY_HOLD_CODE = (".pt", ".pth", ".pkl", ".pickle", ".bin", ".ckpt", ".joblib", ".npy", ".npz")
"""Endings of files whose usual readers execute what the file says."""


class Entry(NamedTuple):
    """Where one tensor lies among the bytes behind the header."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


def read_tensors(path: Path, *, finite: bool = False) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file, by name; `finite` lets no NaN or infinity pass.

    Raises: RunError naming the file and what is wrong with it; FileNotFoundError.
    """
    found = tensors_in(content_of(path), path)
    for name, tensor in found.items() if finite else ():
        if tensor.is_floating_point() and not bool(tensor.double().isfinite().all()):
            raise _broken(path, f"'{name}' holds what is not a finite number")
    return found


def content_of(path: Path) -> bytearray:
    """Return a file's bytes, once it is sure that they end and that they fit into memory.

    Raises: RunError; FileNotFoundError.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise _broken(path, "it is no file but a folder, a pipe or a device")
        if found.st_size > memory_bytes():
            raise _broken(path, f"its {found.st_size:,} bytes are more than this machine's memory")
        content = bytearray(found.st_size)
        with path.open("rb") as file:
            count = file.readinto(content)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _broken(path, str(error)) from error
    if count != len(content):
        raise _broken(path, "it was cut short while it was read")
    return content


def tensors_in(content: bytearray, path: Path) -> dict[str, Tensor]:
    """Return the tensors in a safetensors file's bytes, as views of them.

    path: what the bytes are called in an error

    Raises: RunError.
    """
    import torch

    found = {}
    begin = 8 + int.from_bytes(content[:8], "little")
    for entry in entries_of(content, path):
        dtype = getattr(torch, DTYPES[entry.dtype][0])
        if entry.start == entry.end:
            found[entry.name] = torch.empty(entry.shape, dtype=dtype)
            continue
        size = entry.end - entry.start
        raw = torch.frombuffer(content, dtype=torch.uint8, count=size, offset=begin + entry.start)
        if entry.dtype == "BOOL" and int(raw.max()) > 1:
            raise _broken(path, f"'{entry.name}' holds other bytes than true and false")
        aligned = raw if raw.data_ptr() % DTYPES[entry.dtype][1] == 0 else raw.clone()
        found[entry.name] = aligned.view(dtype).reshape(entry.shape)
    return found


def entries_of(content: bytes | bytearray, path: Path) -> list[Entry]:
    """Return what the header of a safetensors file says, in the order of the bytes.

    Each tensor's bytes follow those of the one before, and the last ends with the file.

    Raises: RunError.
    """
    header = _header(content, path)
    metadata = header.pop("__metadata__", {})
    words = metadata.items() if isinstance(metadata, dict) else [(0, 0)]
    if not all(isinstance(key, str) and isinstance(word, str) for key, word in words):
        raise _broken(path, "its metadata is not made of words")
    if len(header) > MOST_TENSORS:
        raise _broken(path, f"it holds {len(header):,} tensors, more than {MOST_TENSORS:,}")
    found = [_entry(name, said, path) for name, said in header.items()]
    found.sort(key=lambda entry: (entry.start, entry.end))
    end = 0
    for entry in found:
        if entry.start != end:
            raise _broken(path, f"the bytes of '{entry.name}' do not follow those before them")
        end = entry.end
    held = len(content) - 8 - int.from_bytes(content[:8], "little")
    if end != held:
        raise _broken(path, f"its tensors need {end:,} bytes and it holds {held:,}")
    return found


def memory_bytes() -> int:
    """Return how much memory this machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _header(content: bytes | bytearray, path: Path) -> dict[str, Any]:
    size = int.from_bytes(content[:8], "little") if len(content) >= 8 else -1
    if not 2 <= size <= len(content) - 8:
        raise _broken(path, "it is cut short, or no safetensors file")
    if size > MOST_HEADER_BYTES:
        raise _broken(path, f"its header has {size:,} bytes, more than {MOST_HEADER_BYTES:,}")
    try:
        header = json.loads(content[8 : 8 + size].decode(), object_pairs_hook=each_once)
    except (ValueError, RecursionError) as error:
        raise _broken(path, f"its header cannot be read ({error})") from None
    if not isinstance(header, dict):
        raise _broken(path, "its header is no JSON object")
    return header


def each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object's pairs as a dict. Raises: ValueError when a name is there twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name is there twice")
    return found


def _entry(name: str, said: Any, path: Path) -> Entry:
    if len(name) > MOST_NAME_LETTERS:
        raise _broken(path, f"a tensor's name has {len(name):,} letters")
    if not isinstance(said, dict) or said.keys() != {"dtype", "shape", "data_offsets"}:
        raise _broken(path, f"'{name}' is not described by dtype, shape and data_offsets")
    dtype, shape, places = said["dtype"], said["shape"], said["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise _broken(path, f"'{name}' is of the unknown dtype {dtype!r}"[:200])
    if not (_are_sizes(shape) and _are_sizes(places) and len(places) == 2):
        raise _broken(path, f"shape or place of '{name}' is not made of whole numbers")
    start, end = places
    size = math.prod(shape) * DTYPES[dtype][1]
    if len(shape) > MOST_DIMENSIONS or size != end - start or max(shape, default=0) >= 1 << 48:
        raise _broken(path, f"'{name}' is said to have another size than its bytes")
    return Entry(name, dtype, tuple(shape), start, end)


def _are_sizes(values: Any) -> bool:
    return isinstance(values, list) and all(type(v) is int and 0 <= v < 1 << 63 for v in values)


def _broken(path: Path, reason: str) -> RunError:
    return RunError(
        f"{path} cannot be used: {reason}.",
        "It was changed or cut short after it was written: take an untouched copy, or train again.",
    )
