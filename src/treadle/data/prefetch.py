"""Reading ahead in a thread, with a fixed number of places to put what was read."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from queue import SimpleQueue
from threading import Event, Thread
from typing import TypeVar

Task = TypeVar("Task")
Place = TypeVar("Place")
Fill = Callable[[Task, Place, Event], None]


def one_by_one(
    tasks: Iterable[Task], places: Sequence[Place], fill: Fill[Task, Place]
) -> Generator[Place, None, None]:
    """Yield the first place, filled anew for each task: what `read_ahead` does without a thread."""
    for task in tasks:
        fill(task, places[0], Event())
        yield places[0]


def read_ahead(
    tasks: Iterable[Task], places: Sequence[Place], fill: Fill[Task, Place]
) -> Generator[Place, None, None]:
    """Yield a filled place for each task in turn, while a thread fills the next ones.

    A place is good until the next is asked for: then it is filled again. So no more is ever held
    than there are places. What goes wrong in the thread is raised here, in its turn. Closing the
    generator ends the thread.

    fill: (task, place, stop) fills a place; when `stop` is set it may give up half-way. Let it
          compute nothing with torch: a second thread at that makes OpenMP's threads sleep instead
          of spin between two tasks, and a step on two threads took 2.4 × as long (LOG.md)
    """
    free: SimpleQueue[Place] = SimpleQueue()
    ready: SimpleQueue[tuple[Place | None, BaseException | None]] = SimpleQueue()
    stop = Event()

    def work() -> None:
        problem: BaseException | None = None
        try:
            for task in tasks:
                place = free.get()
                if stop.is_set():
                    return
                fill(task, place, stop)
                ready.put((place, None))
        except BaseException as error:
            problem = error
        ready.put((None, problem))

    for place in places:
        free.put(place)
    reader = Thread(target=work, name="treadle-read-ahead", daemon=True)
    reader.start()
    try:
        while True:
            filled, problem = ready.get()
            if problem is not None:
                raise problem
            if filled is None:
                return
            yield filled
            free.put(filled)
    finally:
        stop.set()
        free.put(places[0])  # lets a waiting thread see that it is over
        reader.join()
