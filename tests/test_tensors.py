"""Tensor files that anybody may have written: whole ones come back to the bit, others are named."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load, save, save_file

from treadle import tensors
from treadle.errors import RunError
from treadle.tensors import entries_of, read_tensors, tensors_in

HERE = Path("weights.safetensors")
ONE = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}


def file_of(header: object, data: bytes = b"", size: int | None = None) -> bytearray:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return bytearray(struct.pack("<Q", len(text) if size is None else size) + text + data)


def test_every_type_and_shape_comes_back_to_the_bit(tmp_path: Path) -> None:
    held = {
        name: torch.arange(6, dtype=torch.float32).to(getattr(torch, name)).reshape(2, 3)
        for name, _ in tensors.DTYPES.values()
    }
    held |= {"scalar": torch.tensor(1.5), "none": torch.zeros(0, 7), "odd": torch.ones(3).byte()}
    save_file(held, tmp_path / "a.safetensors", metadata={"word": "x"})
    found = read_tensors(tmp_path / "a.safetensors")
    assert found.keys() == held.keys()
    for name, tensor in held.items():
        assert found[name].dtype == tensor.dtype and found[name].shape == tensor.shape
        assert found[name].reshape(-1).view(torch.uint8).equal(tensor.reshape(-1).view(torch.uint8))


def test_a_tensor_at_an_odd_place_is_read_too() -> None:
    header = {
        "flag": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]},
        "wide": {"dtype": "F64", "shape": [2], "data_offsets": [1, 17]},
    }
    content = file_of(header, b"\7" + struct.pack("<2d", 1.5, -2.0))
    assert tensors_in(content, HERE)["wide"].tolist() == [1.5, -2.0]


def test_a_file_cut_short_or_changed_later_changes_nothing(tmp_path: Path) -> None:
    """safetensors maps the file: there the process ends with a bus error."""
    path = tmp_path / "a.safetensors"
    save_file({"a": torch.ones(100_000)}, path)
    found = read_tensors(path)["a"]
    with path.open("r+b") as file:
        file.truncate(100)
    assert float(found.sum()) == 100_000


HOSTILE: dict[str, tuple[bytearray, str]] = {
    "nothing": (bytearray(), "no safetensors file"),
    "seven bytes": (bytearray(7), "no safetensors file"),
    "header beyond the end": (file_of({"a": ONE}, b"1234", size=1 << 40), "cut short"),
    "header of the largest size": (file_of({"a": ONE}, b"1234", size=(1 << 64) - 1), "cut short"),
    "header too large": (file_of(b" " * (tensors.MOST_HEADER_BYTES + 1)), "its header has"),
    "header no JSON": (file_of(b"{]"), "cannot be read"),
    "header not UTF-8": (file_of(b'{"\xff": 1}'), "cannot be read"),
    "header nested deep": (file_of(b'{"a":' + b"[" * 200_000), "cannot be read"),
    "header a list": (file_of([1, 2]), "no JSON object"),
    "a name twice": (
        file_of(b'{"a":%s,"a":%s}' % ((json.dumps(ONE).encode(),) * 2), b"1234"),
        "there twice",
    ),
    "a number of 5,000 digits": (file_of(b'{"a":' + b"9" * 5000 + b"}"), "cannot be read"),
    "too many tensors": (
        file_of({str(i): 0 for i in range(tensors.MOST_TENSORS + 1)}),
        "more than 100,000",
    ),
    "a name too long": (file_of({"a" * 2000: ONE}, b"1234"), "2,000 letters"),
    "metadata no words": (file_of({"__metadata__": {"a": 1}}), "metadata"),
    "metadata a list": (file_of({"__metadata__": [1]}), "metadata"),
    "a tensor that is a number": (file_of({"a": 3}), "not described"),
    "more said than there is": (file_of({"a": ONE | {"code": "x"}}, b"1234"), "not described"),
    "unknown dtype": (file_of({"a": ONE | {"dtype": "OBJECT"}}, b"1234"), "unknown dtype"),
    "dtype no word": (file_of({"a": ONE | {"dtype": ["F32"]}}, b"1234"), "unknown dtype"),
    "negative size": (file_of({"a": ONE | {"shape": [-1]}}, b"1234"), "whole numbers"),
    "fraction": (file_of({"a": ONE | {"shape": [1.0]}}, b"1234"), "whole numbers"),
    "truth as size": (file_of({"a": ONE | {"shape": [True]}}, b"1234"), "whole numbers"),
    "three places": (file_of({"a": ONE | {"data_offsets": [0, 4, 8]}}, b"1234"), "whole numbers"),
    "size that overflows": (
        file_of({"a": ONE | {"shape": [1 << 62, 4]}}, b"1234"),
        "another size",
    ),
    "nothing, but huge": (
        file_of({"a": ONE | {"shape": [0, 1 << 62], "data_offsets": [0, 0]}}),
        "another size",
    ),
    "hundred dimensions": (file_of({"a": ONE | {"shape": [1] * 100}}, b"1234"), "another size"),
    "end before start": (file_of({"a": ONE | {"data_offsets": [4, 0]}}, b"1234"), "another size"),
    "bytes of another": (file_of({"a": ONE, "b": ONE}, b"1234"), "do not follow"),
    "a gap": (file_of({"a": ONE | {"data_offsets": [4, 8]}}, b"12345678"), "do not follow"),
    "bytes beyond": (file_of({"a": ONE}, b"12345678"), "need 4 bytes and it holds 8"),
    "bytes lacking": (file_of({"a": ONE}, b"12"), "need 4 bytes and it holds 2"),
    "neither true nor false": (
        file_of({"a": {"dtype": "BOOL", "shape": [1], "data_offsets": [0, 1]}}, b"\2"),
        "true and false",
    ),
}


@pytest.mark.parametrize("fault", HOSTILE)
def test_a_hostile_file_is_refused_by_name(fault: str, tmp_path: Path) -> None:
    content, words = HOSTILE[fault]
    path = tmp_path / "weights.safetensors"
    path.write_bytes(content)
    with pytest.raises(RunError, match=words) as error:
        read_tensors(path)
    assert str(path) in error.value.message and len(error.value.message) < 500


def test_numbers_that_are_none_are_refused_where_weights_are_wanted(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"a": torch.ones(2), "b": torch.tensor([1.0, torch.inf]).bfloat16()}, path)
    assert read_tensors(path)["b"].isinf().any()
    with pytest.raises(RunError, match="'b' holds what is not a finite number"):
        read_tensors(path, finite=True)


def test_large_numbers_of_double_precision_are_no_infinity(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"a": torch.tensor([1e300], dtype=torch.float64)}, path)
    assert read_tensors(path, finite=True)["a"].item() == 1e300


def test_what_is_no_file_or_larger_than_memory_is_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe.safetensors")
    for place in (tmp_path, tmp_path / "pipe.safetensors", Path("/dev/zero")):
        with pytest.raises(RunError, match="a folder, a pipe or a device"):
            read_tensors(place)
    with pytest.raises(FileNotFoundError):
        read_tensors(tmp_path / "gone.safetensors")
    large = tmp_path / "large.safetensors"
    with large.open("wb") as file:
        file.truncate(1 << 40)  # no bytes on the disk, a terabyte to read
    monkeypatch.setattr(tensors, "memory_bytes", lambda: 1 << 39)
    with pytest.raises(RunError, match="more than this machine's memory"):
        read_tensors(large)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_changed_file_is_refused_or_read_as_the_library_reads_it(data: Any) -> None:
    """The reader is compared with safetensors' own on files with bytes changed, cut or added."""
    whole = save({"a": torch.arange(4.0), "b": torch.tensor([True, False])}, {"k": "v"})
    header_size = 8 + int.from_bytes(whole[:8], "little")
    content = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, header_size - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(len(content) - 3, len(content)))]
    try:
        found = tensors_in(content, HERE)
    except RunError:
        return
    expected = load(bytes(content))
    assert found.keys() == expected.keys()
    assert all(tensor.equal(expected[name]) for name, tensor in found.items())


def test_entries_come_in_the_order_of_their_bytes() -> None:
    content = save({"a": torch.ones(2), "b": torch.ones(3, dtype=torch.float64)})
    assert [entry.name for entry in entries_of(content, HERE)] == ["b", "a"]
