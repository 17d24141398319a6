"""Baselines get their best settings before anything is compared with them."""

import pytest
import torch

from treadle.models.baseline_choice import BASELINES, choose, settings_to_try
from treadle.models.ranking import Cases, ranking_metrics


def walk(users: int, steps: int) -> Cases:
    """Return users who walk ten items in a circle; the last step of each is a case."""
    items = (torch.arange(users)[:, None] + torch.arange(steps)) % 10 + 1
    start = torch.arange(users) * steps
    return Cases(
        items=items.flatten(),
        times=(torch.arange(steps).double() * 3600).repeat(users),
        kinds=torch.ones(users * steps, dtype=torch.int64),
        goal=torch.ones(users * steps, dtype=torch.bool),
        start=start,
        end=start + steps - 1,
        stop=start + steps,
        group=torch.arange(users),
    )


@pytest.mark.parametrize("name", BASELINES)
def test_the_choice_is_the_best_of_what_is_tried(name: str) -> None:
    cases = walk(40, 4)
    users = torch.arange(160) // 4
    log = (cases.items, cases.times, users, 10)
    choice = choose(name, *log, cases)
    measured = [
        float(ranking_metrics(BASELINES[name](*log, **tried), cases)["ndcg@10"].mean())
        for tried in settings_to_try(name, cases.times)
    ]
    assert choice.ndcg == pytest.approx(max(measured))
    assert choice.settings in settings_to_try(name, cases.times)


def test_a_choice_keeps_whole_numbers_whole() -> None:
    cases = walk(20, 4)
    choice = choose(
        "decayed transitions", cases.items, cases.times, torch.arange(80) // 4, 10, cases
    )
    assert isinstance(
        type(choice).model_validate_json(choice.model_dump_json()).settings["reach"], int
    )
