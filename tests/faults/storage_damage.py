"""Sweeps over damaged checkpoints: a flipped bit, a file cut short. Each is mended again after."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.faults.storage import Tally
from tests.faults.tiny_run import digest, tiny
from treadle.loop.checkpoint import read_newest, write

BLOCK_BYTES = 4096
WIDTH_A_CUT = 40


class Damaged:
    """An older and a newer checkpoint of a tiny run; the newer one is to be damaged."""

    def __init__(self, folder: Path, width: int = 64) -> None:
        self.folder, self.width = folder, width
        state = tiny(width)[0]
        state.keep_best(0.5)
        state.step = 3
        self.expected = digest(state)
        write(folder, *state.snapshot())
        state.step = 6
        self.place = write(folder, *state.snapshot())

    def files(self) -> list[Path]:
        return sorted(self.place.iterdir())

    def problem(self, file: Path, content: bytes) -> str:
        """Put other content into a file; tell what is wrong with how it is met; mend it again."""
        before = file.read_bytes()
        file.write_bytes(content)
        found, said = read_newest(self.folder)
        aside = self.folder / f"broken-{self.place.name}"
        if aside.exists():
            aside.rename(self.place)
        file.write_bytes(before)
        if found is None or found[1]["step"] != 3:
            return f"step {found[1]['step'] if found else 'none'} was used"
        if len(said) != 1 or f"{file} " not in f"{said[0]} ":
            return f"{file.name} was not named: {said}"
        state = tiny(self.width)[0]
        state.restore(*found)
        return "" if digest(state) == self.expected else "the older one was not read as written"


def sweep_flips(count: int, seed: int, place: Path) -> Tally:
    """Flip one bit of one file, `count` times: each region of each file gets as many."""
    tally, draw, damaged = Tally(), random.Random(seed), Damaged(place / "flips")
    regions = [(file, *region) for file in damaged.files() for region in regions_of(file)]
    for number in range(count):
        file, name, start, end = regions[number % len(regions)]
        byte, bit = draw.randrange(start, end), draw.randrange(8)
        problem = damaged.problem(file, flipped(file.read_bytes(), byte, bit))
        tally.count(problem and f"bit {bit} of byte {byte} ({file.name}, {name}): {problem}")
    return tally


def flipped(content: bytes, byte: int, bit: int) -> bytes:
    changed = bytearray(content)
    changed[byte] ^= 1 << bit
    return bytes(changed)


def regions_of(file: Path) -> Iterator[tuple[str, int, int]]:
    """Yield (name, start, end) of a file's parts: its header's length, its header, its bytes."""
    size = file.stat().st_size
    if file.suffix == ".json":
        cuts = [size * part // 4 for part in range(5)]
        yield from ((f"part {part}", cuts[part], cuts[part + 1]) for part in range(4))
        return
    header = 8 + int.from_bytes(file.read_bytes()[:8], "little")
    cuts = [0, 8, header, header + (size - header) // 2, size]
    for name, start, end in zip(
        ("length", "header", "first", "last"), cuts, cuts[1:], strict=False
    ):
        if end > start:
            yield name, start, end


def sweep_truncations(count: int, seed: int, place: Path) -> Tally:
    """Cut one file short at a block of 4 KiB or its last byte, at `count` of all such places.

    The checkpoint is made large enough to have so many, and not many more.
    """
    tally, damaged = Tally(), Damaged(place / "truncations", width=WIDTH_A_CUT * count)
    lengths = [(file, length) for file in damaged.files() for length in cut_lengths(file)]
    chosen: Callable[..., list[tuple[Path, int]]] = random.Random(seed).sample
    for file, length in chosen(lengths, min(count, len(lengths))):
        problem = damaged.problem(file, file.read_bytes()[:length])
        tally.count(problem and f"{file.name} cut to {length} bytes: {problem}")
    return tally


def cut_lengths(file: Path) -> list[int]:
    size = file.stat().st_size
    return sorted({*range(0, size, BLOCK_BYTES), size - 1})
