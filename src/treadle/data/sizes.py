"""Amounts of memory as people write them."""

from __future__ import annotations

import re

from treadle.errors import OptionError

_UNITS = {"": 1, "b": 1}
for _power, _letter in enumerate("kmgt", start=1):
    _UNITS |= {_letter: 1000**_power, f"{_letter}b": 1000**_power, f"{_letter}ib": 1024**_power}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", re.IGNORECASE)


def parse_bytes(size: str | int) -> int:
    """Return the bytes that "2 GB", "512 MiB" or a whole number mean.

    Raises: OptionError for what is no amount of memory, or none above 0.
    """
    found = _SIZE.fullmatch(str(size))
    factor = _UNITS.get(found[2].lower()) if found else None
    num_bytes = int(float(found[1]) * factor) if found and factor else 0
    if num_bytes < 1:
        raise OptionError(f"memory is {size!r}.", 'Say an amount of memory, such as "2 GB".')
    return num_bytes


def spell_bytes(num_bytes: int) -> str:
    """Return bytes in the unit that people would use: 1,500,000 is "1.5 MB"."""
    size = float(num_bytes)
    for unit in ("bytes", "KB", "MB", "GB"):
        if size < 999.5:  # what would be told as 1000 goes to the next unit
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"
