"""Native code of a graph, made once and kept in the user's own cache folder.

The code is a shared library, made by torch's AOTInductor and loaded into this process. So the
cache is never part of a run and never shipped, and a folder that others may write to is refused.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.fx import GraphModule

from treadle.capture.one_order import SumsInOneOrder
from treadle.capture.trace import CannotCapture

Runner: TypeAlias = "Callable[[list[Tensor]], list[Tensor]]"
"""Runs the code on tensors of the traced shapes; changes them in place where the function did."""

OPTIONS: dict[str, Any] = {
    "aot_inductor.compile_wrapper_opt_level": "O1",  # the wrapper only calls: -O3 there is waste
    "aot_inductor.enable_line_tables": False,
    # 140 MB in /tmp for ever, and never found again: the compiler's path is part of the key
    "aot_inductor.precompile_headers": False,
    "cpp_cache_precompile_headers": False,
}


WRAPPING = "-fwrapv"
IN_ONE_ORDER = "sums in one order"
ADDING_UP = ("index_put", "index_add", "index_reduce", "scatter", "embedding", "accumulate")
WORK = "work-"
MOST_KEPT = 200
"""Pieces of code in the cache, of about 2 MB each."""


def default_cache() -> Path:
    """Return the user's own folder for compiled code."""
    return Path.home() / ".cache" / "treadle" / "compiled"


def private(folder: Path) -> Path:
    """Return `folder`, made where it is missing, once it is sure that only its owner writes there.

    Raises: CannotCapture.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = folder.lstat()
    except OSError as error:
        raise CannotCapture(
            f"the folder for compiled code, {folder}, cannot be used: {error}"
        ) from error
    if stat.S_ISLNK(found.st_mode):
        raise CannotCapture(f"the folder for compiled code, {folder}, is a link to another place")
    if not _only_its_owner_writes(found):
        raise CannotCapture(
            f"others may write to the folder for compiled code, {folder} (chmod 700 makes it safe)"
        )
    return folder


def key_of(graph: GraphModule, tensors: Sequence[Tensor], threads: int) -> str:
    """Return a digest of all that the code depends on: graph, shapes, versions, processor."""
    digest = hashlib.sha256()
    facts = [
        graph.code,
        *(f"{tuple(t.shape)}{t.stride()}{t.dtype}{t.device}" for t in tensors),
        torch.__version__,
        torch.backends.cpu.get_cpu_capability(),
        _processor(),
        str(threads),
        repr(sorted(OPTIONS.items())) + WRAPPING + (IN_ONE_ORDER if adds_up(graph) else ""),
    ]
    for fact in facts:
        digest.update(fact.encode() + b"\0")
    for node in graph.graph.nodes:
        if node.op == "get_attr":
            constant: Tensor = getattr(graph, str(node.target))
            digest.update(constant.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:32]


def find(key: str, cache: Path) -> Path | None:
    """Return the code of that key, where the cache holds it as `compile_graph` leaves it."""
    path = private(cache) / f"{key}.so"
    if not _is_ours(path):
        return None
    path.touch()  # what is used stays longest
    return path


def tidy(cache: Path) -> None:
    """Remove the code that was not used for longest, and what a killed compiler left a day ago."""
    code = sorted(cache.glob("*.so"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in code[MOST_KEPT:]:
        path.unlink(missing_ok=True)
    for work in cache.glob(f"{WORK}*"):
        if time.time() - work.stat().st_mtime > 86_400:
            shutil.rmtree(work, ignore_errors=True)


def compile_graph(
    graph: GraphModule, tensors: Sequence[Tensor], cache: Path, key: str, threads: int
) -> Path:
    """Compile `graph` and return where its code lies in the cache. Takes 5 to 30 seconds.

    Raises: CannotCapture where there is no compiler, or it refuses.
    """
    import torch._inductor
    from torch._inductor import config

    from treadle.capture.products import register

    compiler = compiler_path()
    if compiler is None:
        raise CannotCapture("there is no C++ compiler here (on Debian or Ubuntu: apt install g++)")
    tidy(private(cache))
    with tempfile.TemporaryDirectory(dir=cache, prefix=WORK) as work:
        settings = {
            "cpp.cxx": (_wrapping(compiler, Path(work)),),
            "cpp.threads": threads,
            "compile_threads": 1,
            **OPTIONS,
        }
        before = os.environ.get("TORCHINDUCTOR_CACHE_DIR")
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = work
        try:
            order = SumsInOneOrder() if adds_up(graph) else contextlib.nullcontext()
            with warnings.catch_warnings(), config.patch(settings), order:
                warnings.simplefilter("ignore")
                register()
                made = torch._inductor.aot_compile(graph, tuple(t.detach() for t in tensors))
        except Exception as error:
            raise CannotCapture(f"the compiler ended with: {str(error).strip()[-300:]}") from error
        finally:
            if before is None:
                del os.environ["TORCHINDUCTOR_CACHE_DIR"]
            else:
                os.environ["TORCHINDUCTOR_CACHE_DIR"] = before
        path = cache / f"{key}.so"
        Path(str(made)).chmod(0o700)
        Path(str(made)).replace(path)  # whole or not at all
    return path


def adds_up(graph: GraphModule) -> bool:
    """Tell whether the graph adds rows up at looked-up places, as an embedding's gradient does.

    Only then one order is asked for: it also keeps the compiler from fusing other loops.
    """
    return any(sign in str(node.target) for node in graph.graph.nodes for sign in ADDING_UP)


def compiler_path() -> str | None:
    """Return where the C++ compiler is, or None. CXX names one, as torch has it."""
    return shutil.which(os.environ.get("CXX", "g++")) or shutil.which("clang++")


def _wrapping(compiler: str, folder: Path) -> str:
    """Return a compiler for which integers wrap around, as torch's do.

    In C++ overflow is undefined, and g++ draws conclusions from its absence: with a hash over a
    range of numbers, a loop ran past its end and wrote over memory.
    """
    script = folder / Path(compiler).name  # torch tells compilers apart by their names
    script.write_text(f'#!/bin/sh\nexec "{compiler}" {WRAPPING} "$@"\n')
    script.chmod(0o700)
    return str(script)


def load(path: Path) -> Runner:
    """Return the code as a callable. Raises: CannotCapture."""
    private(path.parent)
    if not _is_ours(path):
        raise CannotCapture(f"{path} is a link, or others may write to it: it is not loaded")
    try:
        container = torch._C._aoti.AOTIModelContainerRunnerCpu(str(path), 1)
    except (RuntimeError, AttributeError) as error:
        raise CannotCapture(f"the compiled code at {path} cannot be loaded: {error}") from error
    run: Runner = container.run
    return run


def _is_ours(path: Path) -> bool:
    """Return whether a file is there, is no link, and was written by its owner alone."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and _only_its_owner_writes(found)


def _only_its_owner_writes(found: os.stat_result) -> bool:
    if not hasattr(os, "getuid"):
        return True
    return found.st_uid == os.getuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _processor() -> str:
    """Return the processor's instruction sets: code made for one need not run on another."""
    facts = Path("/proc/cpuinfo")
    if not facts.exists():
        return "unknown"
    lines = facts.read_text().splitlines()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "unknown")
