"""Training rows and test cases of an encoded log, without a loop over users.

Shape legend: E events, N rows or cases, T events of a history.
"""

from __future__ import annotations

import torch
from torch import Tensor

from treadle.contracts import Batch
from treadle.data.events import EncodedLog
from treadle.errors import DataError


def training_windows(log: EncodedLog, history_length: int) -> Batch:
    """Cut each user's events into windows of T + 1, left-padded: T histories with a next event.

    Windows of a user overlap in one event, so each event but a user's first is foreseen once.

    Returns: items int64, times float64, kinds int64, event_weight float32, [N, T+1] each, and
    row int64 [N]. Padding has item 0 and the time of the window's first event.
    Raises: DataError when no user has two events.
    """
    start, stop = _spans(log.users)
    per_user = (stop - start - 1 + history_length - 1) // history_length
    owner = torch.repeat_interleave(torch.arange(len(start)), per_user)
    if not len(owner):
        raise DataError(
            f"no user has two events: {len(start):,} users, {len(log.items):,} events.",
            "A next item is learned from users who did something more than once.",
        )
    number = torch.arange(len(owner)) - (per_user.cumsum(0) - per_user)[owner]
    end = stop[owner] - number * history_length  # N
    begin = torch.maximum(start[owner], end - history_length - 1)
    places = end[:, None] + torch.arange(-history_length - 1, 0)  # N T+1
    inside = places >= begin[:, None]
    places = places.maximum(begin[:, None])
    return {
        "items": log.items[places].where(inside, 0),
        "times": log.times[places],
        "kinds": log.kinds[places].where(inside, 0),
        "event_weight": log.event_weight[places].where(inside, 0),
        "row": torch.arange(len(owner)),
    }


def moment_cases(log: EncodedLog, since: float) -> tuple[Batch, list[str]]:
    """Return a case for each moment of a user from `since` on, and sentences on what is no case.

    A moment is all events of one user with one time. Its history is what the user did strictly
    earlier, before the cut or after it. A case has a history and at least one item to be found.

    Returns the fields of `Cases`: the log's tensors items, times, kinds, goal [E]; start, end,
    stop [N] (history start:end, moment end:stop) and group [N], the user.
    """
    first_of_user = _changes(log.users)
    first_of_moment = first_of_user | _changes(log.times)
    end = first_of_moment.nonzero()[:, 0]  # one a moment
    stop = torch.cat([end[1:], torch.tensor([len(log.items)])])
    user_starts = first_of_user.nonzero()[:, 0]
    start = user_starts[torch.searchsorted(user_starts, end, right=True) - 1]
    found = torch.cat([torch.zeros(1, dtype=torch.int64), log.goal.long().cumsum(0)])
    wanted = (found[stop] - found[end]) > 0
    late, known = log.times[end] >= since, end > start
    chosen = late & known & wanted
    notes = _exclusions(int((late & ~known).sum()), int((late & known & ~wanted).sum()))
    users = log.users[start[chosen]]
    return _cases(log, start[chosen], end[chosen], stop[chosen], users), notes


def following_cases(log: EncodedLog, since: float) -> Batch:
    """Return one case a user: history before `since`, to be found all that came from then on.

    Users without a history or without anything to be found are no case.
    """
    start, stop = _spans(log.users)
    late = torch.cat([torch.zeros(1, dtype=torch.int64), (log.times >= since).long().cumsum(0)])
    end = stop - (late[stop] - late[start])
    found = torch.cat([torch.zeros(1, dtype=torch.int64), log.goal.long().cumsum(0)])
    chosen = (end > start) & ((found[stop] - found[end]) > 0)
    users = log.users[start[chosen]]
    return _cases(log, start[chosen], end[chosen], stop[chosen], users)


def latest_cases(log: EncodedLog) -> Batch:
    """Return one case for each of `log.user_names`: all events are history, nothing to be found.

    A user of whom no item is known has an empty history.
    """
    users = torch.arange(len(log.user_names))
    start = torch.searchsorted(log.users, users)
    stop = torch.searchsorted(log.users, users, right=True)
    return _cases(_with_one_more(log), start, stop, stop, users)


def _with_one_more(log: EncodedLog) -> EncodedLog:
    """Put an event of no user behind all others, so that even an empty history begins somewhere."""
    return log._replace(
        items=torch.cat([log.items, torch.ones(1, dtype=log.items.dtype)]),
        times=torch.cat([log.times, torch.zeros(1, dtype=log.times.dtype)]),
        kinds=torch.cat([log.kinds, torch.ones(1, dtype=log.kinds.dtype)]),
        goal=torch.cat([log.goal, torch.zeros(1, dtype=torch.bool)]),
    )


def _cases(log: EncodedLog, start: Tensor, end: Tensor, stop: Tensor, users: Tensor) -> Batch:
    return {
        "items": log.items,
        "times": log.times,
        "kinds": log.kinds,
        "goal": log.goal,
        "start": start,
        "end": end,
        "stop": stop,
        "group": users,
    }


def _exclusions(no_history: int, nothing_new: int) -> list[str]:
    notes = []
    if no_history:
        notes.append(
            f"{no_history:,} moments are a user's first: with no history they are not tested."
        )
    if nothing_new:
        notes.append(
            f"{nothing_new:,} moments hold nothing new to be foreseen (items that the user had "
            "taken before, or other kinds of events) and are not tested."
        )
    return notes


def _spans(users: Tensor) -> tuple[Tensor, Tensor]:
    """Return where each user's events start and stop, int64 each."""
    start = _changes(users).nonzero()[:, 0]
    return start, torch.cat([start[1:], torch.tensor([len(users)])])


def _changes(values: Tensor) -> Tensor:
    """Return bool [E]: true at the first and wherever a value differs from the one before."""
    changed = torch.ones(len(values), dtype=torch.bool)
    changed[1:] = values[1:] != values[:-1]
    return changed
