"""Capturing in a child process, while the caller goes on.

The child is a fork: it has the function, module and all, without anything being pickled, and what
tracing does to them stays its own. Lowering its priority was tried and is of no use: beside two
threads that never rest it starves (two minutes and no end), and where it has half of its share it
takes away as much in all, for longer. What helps is a core left to it: see loop/takeover.py.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import math
import os
import select
import signal
import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule

from treadle.capture import products
from treadle.capture.package import compile_graph, find, key_of, private
from treadle.capture.trace import CannotCapture, TensorFunction, is_random, trace


@dataclass(frozen=True, kw_only=True)
class Captured:
    """Where the code of a function lies.

    key:        the digest of all that the code depends on
    was_cached: no compiler was needed
    is_random:  it draws random numbers
    notes:      what the function noted while it was traced
    seconds:    from the beginning to here
    """

    key: str
    path: Path
    was_cached: bool
    is_random: bool
    notes: dict[str, Any]
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Refused:
    """Why there is no code, as the end of a sentence."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be captured.

    function: see TensorFunction; what it puts into `notes` while traced comes back
    cache:    the folder of compiled code
    threads:  the threads that the code will run on
    worth_seconds: what a compiler may take; where more is expected, only the cache is looked into
    """

    function: TensorFunction
    tensors: Sequence[Tensor]
    cache: Path
    threads: int
    notes: dict[str, Any]
    worth_seconds: float = math.inf


def capture(order: Order) -> Captured | Refused:
    """Trace, look up and compile in this process."""
    start = time.monotonic()
    try:
        private(order.cache)
        graph = trace(order.function, order.tensors)
        if products.pays_off():
            products.by_onednn(graph)
        key = key_of(graph, order.tensors, order.threads)
        path = find(key, order.cache)
        was_cached = path is not None
        if path is None:
            expected = expected_seconds(graph)
            if expected > order.worth_seconds:
                return Refused(
                    reason=f"compiling it would take about {expected:.0f} seconds, too many for "
                    "what is ahead"
                )
            path = compile_graph(graph, order.tensors, order.cache, key, order.threads)
    except CannotCapture as error:
        return Refused(reason=str(error))
    return Captured(
        key=key,
        path=path,
        was_cached=was_cached,
        is_random=is_random(graph),
        notes=dict(order.notes),
        seconds=time.monotonic() - start,
    )


def expected_seconds(graph: GraphModule) -> float:
    """Return about how long compiling takes on a core: measured on graphs of 300 to 3,400 nodes."""
    return 10 + 0.014 * len(graph.graph.nodes)


def can_fork() -> bool:
    """Tell whether a forked child may use torch: on Linux, while no GPU is in use."""
    return sys.platform == "linux" and not torch.cuda.is_initialized()


def capture_and_wait(order: Order) -> Captured | Refused:
    """Capture in a child process where there can be one, else in this one, and wait for it."""
    return Background(order).wait() if can_fork() else capture(order)


class Background:
    """A capture under way in a child process."""

    def __init__(self, order: Order) -> None:
        self._read, write = os.pipe()
        parent = os.getpid()
        sys.stdout.flush()
        sys.stderr.flush()
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", DeprecationWarning
            )  # threads beside a fork: see _be_a_child
            self._child = os.fork()
        if self._child == 0:
            os.close(self._read)
            _be_a_child(order, write, parent)
        os.close(write)
        with contextlib.suppress(OSError):  # whichever of the two comes first
            os.setpgid(self._child, self._child)
        self._text = b""
        self._answer: Captured | Refused | None = None

    def poll(self) -> Captured | Refused | None:
        """Return the answer, or None while there is none. Never waits."""
        while self._answer is None and select.select([self._read], [], [], 0)[0]:
            self._take()
        return self._answer

    def wait(self, timeout_seconds: float = 600.0) -> Captured | Refused:
        """Return the answer, waiting for it."""
        until = time.monotonic() + timeout_seconds
        while self._answer is None:
            left = until - time.monotonic()
            if left <= 0:
                self.stop()
                self._answer = Refused(reason=f"it took longer than {timeout_seconds:.0f} seconds")
            elif select.select([self._read], [], [], left)[0]:
                self._take()
        assert self._answer is not None
        return self._answer

    def stop(self) -> None:
        """End the child, with the compiler that it may have started."""
        if self._child:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._child, signal.SIGKILL)
            self._reap()

    def _take(self) -> None:
        """Take what the child wrote; at its end, what it came to."""
        if part := os.read(self._read, 65_536):
            self._text += part
            return
        self._reap()
        try:
            told = json.loads(self._text)
        except ValueError:
            self._answer = Refused(reason="the process that was to compile it ended without a word")
            return
        if "reason" in told:
            self._answer = Refused(**told)
        else:
            self._answer = Captured(**told | {"path": Path(told["path"])})

    def _reap(self) -> None:
        if self._child:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self._child, 0)
            os.close(self._read)
            self._child = 0


def _be_a_child(order: Order, write: int, parent: int) -> None:
    """Do the work in the forked child, and end it. Never returns.

    Of the parent's threads only this one lives on, so nothing here may run on several: OpenMP's
    would wait for siblings that are not there.
    """
    answer: Captured | Refused = Refused(reason="the process that was to compile it broke")
    try:
        os.setpgid(0, 0)  # the terminal's Ctrl-C is the parent's; the group is ended together
        _die_with(parent)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        silent = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(silent, stream)
        torch.set_num_threads(1)
        warnings.simplefilter("ignore")
        answer = capture(order)
    except BaseException as error:  # whatever it is, the parent goes on without
        answer = Refused(reason=f"compiling it ended with {type(error).__name__}: {error}")
    finally:
        told = vars(answer) | ({"path": str(answer.path)} if isinstance(answer, Captured) else {})
        with contextlib.suppress(OSError), os.fdopen(write, "w") as pipe:
            pipe.write(json.dumps(told))
        os._exit(0)


def _die_with(parent: int) -> None:
    """Let the kernel end this process when its parent ends, also by SIGKILL."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        os._exit(0)
