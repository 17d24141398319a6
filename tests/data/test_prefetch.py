"""Reading ahead: in order, in a fixed number of places, errors told, threads ended."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import count, islice
from threading import Event

import pytest

from treadle.data.prefetch import one_by_one, read_ahead


def put(task: int, place: list[int], stop: Event) -> None:
    place[:] = [task]


def readers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "treadle-read-ahead"]


@pytest.mark.parametrize("places", [1, 2, 3])
def test_places_come_filled_in_the_order_of_the_tasks(places: int) -> None:
    filled = read_ahead(range(20), [[] for _ in range(places)], put)
    assert [place[0] for place in filled] == list(range(20))
    assert readers() == []


def test_without_a_thread_the_same_comes() -> None:
    assert [place[0] for place in one_by_one(range(5), [[]], put)] == list(range(5))


def test_a_place_is_left_alone_until_the_next_is_asked_for() -> None:
    begun = [Event() for _ in range(4)]

    def note(task: int, place: list[int], stop: Event) -> None:
        begun[task].set()
        put(task, place, stop)

    filled = read_ahead(range(4), [[], []], note)
    first = next(filled)
    assert begun[1].wait(5) and not begun[2].is_set()
    assert first == [0]
    assert next(filled) == [1] and begun[2].wait(5)
    filled.close()


def test_leaving_in_the_middle_ends_the_thread() -> None:
    filled = read_ahead(count(), [[], []], put)
    list(islice(filled, 3))
    assert len(readers()) == 1
    filled.close()
    assert readers() == []


def test_leaving_tells_a_reader_to_give_up() -> None:
    seen: list[bool] = []

    def wait(task: int, place: list[int], stop: Event) -> None:
        if task == 1:
            seen.append(stop.wait(5))
        put(task, place, stop)

    filled = read_ahead(count(), [[], []], wait)
    next(filled)
    filled.close()
    assert seen == [True]


def test_what_goes_wrong_is_raised_in_its_turn() -> None:
    def fail(task: int, place: list[int], stop: Event) -> None:
        if task == 2:
            raise ValueError("row group 3 is broken")
        put(task, place, stop)

    filled = read_ahead(count(), [[], []], fail)
    assert [next(filled)[0], next(filled)[0]] == [0, 1]
    with pytest.raises(ValueError, match="row group 3 is broken"):
        next(filled)
    assert readers() == []


def test_tasks_that_fail_are_told_too() -> None:
    def tasks() -> Iterator[int]:
        yield 0
        raise RuntimeError("no more")

    filled = read_ahead(tasks(), [[], []], put)
    assert next(filled) == [0]
    with pytest.raises(RuntimeError, match="no more"):
        next(filled)
