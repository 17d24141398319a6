"""Which machine and which versions a result was measured with."""

from __future__ import annotations

import datetime
import json
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
OWN_PACKAGES = ("treadle", "torch", "numpy", "polars", "lightgbm")
TELLING_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "bf16")


def described(peers: Path, threads: int) -> dict[str, Any]:
    """Return what a reader must know of this machine: processor, memory, versions, date."""
    return {
        "processor": processor(),
        "vector_units": [flag for flag in TELLING_FLAGS if flag in processor_flags()],
        "cores": os.cpu_count(),
        "threads": threads,
        "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "commit": _commit(),
        "load_before": round(os.getloadavg()[0], 2),
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "accelerator": _accelerator(),
        "own": {name: metadata.version(name) for name in OWN_PACKAGES},
        "peers": _versions(peers),
    }


def processor() -> str:
    """Return the processor's name, where the system tells it."""
    return _facts().get("model name") or platform.processor() or "unknown processor"


def processor_flags() -> list[str]:
    """Return what the processor can do, where the system tells it."""
    facts = _facts()
    return (facts.get("flags") or facts.get("Features", "")).split()


def _facts() -> dict[str, str]:
    file = Path("/proc/cpuinfo")
    lines = file.read_text().split("\n\n")[0].splitlines() if file.exists() else []
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    return {name.strip(): value.strip() for name, value in pairs}


def _commit() -> str:
    def git(*words: str) -> str:
        ran = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
        return ran.stdout.strip()

    changed = " and uncommitted changes" if git("status", "--porcelain", "src") else ""
    return (git("rev-parse", "--short", "HEAD") or "unknown") + changed


def _accelerator() -> str | None:
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def _versions(python: Path) -> dict[str, str]:
    """Return the versions of the peers that benchmarks/speed/peers.txt names, as installed."""
    lines = (Path(__file__).parent / "peers.txt").read_text().splitlines()
    names = [line.split("==")[0] for line in lines if "==" in line]
    if not python.exists():
        return {}
    script = (
        "import json, sys\nfrom importlib import metadata\n"
        "there = {d.name.lower(): d.version for d in metadata.distributions() if d.name}\n"
        "print(json.dumps({n: there[n] for n in sys.argv[1:] if n in there}))"
    )
    ran = subprocess.run(
        [str(python), "-c", script, *names], capture_output=True, text=True, check=True
    )
    found: dict[str, str] = json.loads(ran.stdout)
    return found
