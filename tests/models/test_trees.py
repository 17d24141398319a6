from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor

from treadle.contracts import Batch, Layout, Task
from treadle.errors import BrokenCheckpointError, DataError, OptionError
from treadle.models import boosting_losses
from treadle.models.boosting import BoostingRound
from treadle.models.tree_settings import TreeSettings
from treadle.models.trees import Trees, columns_of

TASKS: tuple[Task, ...] = ("two_classes", "classes", "number")
SETTINGS = TreeSettings(
    block_rounds=20,
    num_leaves=8,
    feature_fraction=0.6,
    bagging_fraction=0.7,
    learning_rate=0.1,
    min_data_per_group=5,
    cat_smooth=1.0,
    cat_l2=1.0,
)


def layout_for(task: Task) -> Layout:
    outputs = 3 if task == "classes" else 1
    return Layout(num_numbers=4, cardinalities=(40, 300), task=task, num_outputs=outputs)


def table(task: Task, num_rows: int = 600, seed: int = 0) -> Batch:
    """Numbers with holes, two category columns (0 is unseen, in validation only), weights."""
    draw = torch.Generator().manual_seed(seed)
    numbers = torch.randn(num_rows, 4, generator=draw)
    codes = torch.stack(
        [torch.randint(1 - seed, size, (num_rows,), generator=draw) for size in (40, 300)], 1
    )
    signal = numbers[:, 0] * 2 + numbers[:, 1].abs() + 2.0 * (codes[:, 0] % 7 > 3)
    signal = signal + torch.randn(num_rows, generator=draw)
    numbers[torch.rand(numbers.shape, generator=draw) < 0.1] = torch.nan
    target = {
        "two_classes": (signal > 2).float(),
        "classes": (signal > 1).long() + (signal > 3).long(),
        "number": signal * 10 + 100,
    }[task]
    weight = 0.5 + torch.rand(num_rows, generator=draw)
    return {"numbers": numbers, "categories": codes, "target": target, "weight": weight}


class Totals:
    def __init__(self) -> None:
        self.means: list[float] = []

    def add(self, loss: Tensor, weight: Tensor) -> None:
        self.means.append(float(loss / weight))


def boosting(task: Task, trees: Trees | None = None, **changes: object) -> BoostingRound:
    settings = SETTINGS.model_copy(update=changes)
    return BoostingRound(
        trees or Trees(layout_for(task)),
        table(task),
        table(task, 200, seed=1),
        layout_for(task),
        settings,
        seed=3,
        num_threads=1,
    )


def turn(step: BoostingRound, until: int) -> Totals:
    totals = Totals()
    while step.num_rounds < until:
        step(SimpleNamespace(totals=totals), {})
    return totals


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(
        torch.equal(tensor, second[name]) for name, tensor in first.items()
    )


@pytest.mark.parametrize("task", TASKS)
def test_going_on_from_a_block_end_is_the_same_to_the_bit(task: Task) -> None:
    straight = boosting(task)
    turn(straight, 60)
    stopped = boosting(task)
    turn(stopped, 27)  # the last block end was at 20
    saved = {name: tensor.clone() for name, tensor in stopped.trees.state_dict().items()}
    trees = Trees(layout_for(task))
    trees.load_state_dict(saved)
    resumed = boosting(task, trees)
    assert resumed.num_rounds == 20
    turn(resumed, 60)
    assert same(straight.trees.state_dict(), resumed.trees.state_dict())
    assert straight.trees.num_rounds == 60


@pytest.mark.parametrize("task", TASKS)
def test_rebuilt_trees_score_every_row_as_training_did_to_the_bit(task: Task) -> None:
    step = boosting(task)
    for rounds in (1, 13, 20, 33):
        turn(step, rounds)
        found = step.so_far()
        assert found.num_rounds == rounds
        assert torch.equal(found.scores(table(task, 200, seed=1)), step.validation_scores())
    turn(step, 40)
    assert step.trees.train_scores is not None
    assert torch.equal(step.trees.scores(table(task)), step.trees.train_scores)
    assert torch.equal(step.trees.predict(table(task, 200, seed=1)), step.validation_predictions())


@pytest.mark.parametrize("task", TASKS)
def test_saving_and_loading_keeps_every_prediction(task: Task) -> None:
    step = boosting(task)
    turn(step, 40)
    again = Trees(layout_for(task))
    again.load_state_dict(step.trees.truncated(25).state_dict())
    rows = table(task, 200, seed=1)
    assert again.num_rounds == 25
    assert torch.equal(again.predict(rows), step.trees.predict(rows, 25))
    assert "train_scores" not in again.state_dict()


def test_a_look_in_the_middle_of_a_block_changes_nothing() -> None:
    quiet, watched = boosting("two_classes"), boosting("two_classes")
    turn(quiet, 40)
    for rounds in range(1, 41):
        turn(watched, rounds)
        watched.validation_predictions()
        watched.so_far()
    assert same(quiet.trees.state_dict(), watched.trees.state_dict())


@pytest.mark.parametrize("task", TASKS)
def test_training_loss_falls(task: Task) -> None:
    means = turn(boosting(task), 40).means
    assert len(means) == 40
    assert means[-1] < 0.8 * means[0]


@pytest.mark.parametrize("task", TASKS)
def test_predictions_have_the_shape_and_range_of_the_task(task: Task) -> None:
    step = boosting(task)
    turn(step, 20)
    found = step.trees.predict(table(task, 50))
    assert found.dtype == torch.float32
    if task == "number":
        assert found.shape == (50,)
    else:
        assert found.shape == (50, 2 if task == "two_classes" else 3)
        assert torch.allclose(found.sum(1), torch.ones(50))
    assert step.trees.predict({name: part[:0] for name, part in table(task).items()}).shape[0] == 0


@pytest.mark.parametrize("task", TASKS)
def test_derivatives_are_those_of_the_loss(task: Task) -> None:
    target = table(task, 20)["target"]
    outputs = layout_for(task).num_outputs
    scores = torch.randn(20, outputs, dtype=torch.float64).squeeze(1).requires_grad_()
    weight = torch.rand(20)
    if task == "two_classes":
        losses = torch.nn.functional.binary_cross_entropy_with_logits(
            scores, target.double(), reduction="none"
        )
    elif task == "classes":
        losses = torch.nn.functional.cross_entropy(scores, target, reduction="none")
    else:
        losses = 0.5 * (scores - target).square()
    (expected,) = torch.autograd.grad((losses * weight).sum(), scores)
    found = boosting_losses.derivatives(task, scores.detach(), target, weight)
    torch.testing.assert_close(found.gradient, expected.float())
    assert (found.hessian > 0).all()


def test_own_derivatives_give_what_lightgbm_gives_with_its_own_loss() -> None:
    import lightgbm

    rows = table("two_classes") | {"weight": torch.ones(600)}
    settings = SETTINGS.model_copy(update={"feature_fraction": 1.0, "bagging_fraction": 1.0})
    trees = Trees(layout_for("two_classes"))
    step = BoostingRound(trees, rows, None, trees.layout, settings, 0, 1)
    turn(step, 20)
    parameters = settings.parameters() | {"objective": "binary", "verbose": -1, "num_threads": 1}
    columns = columns_of(rows, trees.layout)
    data = lightgbm.Dataset(columns, rows["target"].numpy(), categorical_feature=[4, 5])
    theirs = lightgbm.train(parameters, data, 20).predict(columns)
    np.testing.assert_allclose(trees.predict(rows)[:, 1].numpy(), theirs, atol=1e-4)


def test_a_target_without_any_split_gives_rounds_of_nothing() -> None:
    rows = table("two_classes") | {"numbers": torch.zeros(600, 4)}
    rows["categories"] = torch.ones(600, 2, dtype=torch.int64)
    trees = Trees(layout_for("two_classes"))
    step = BoostingRound(trees, rows, rows, trees.layout, SETTINGS, 0, 1)
    turn(step, 21)
    assert step.so_far().num_rounds == 21
    mean = float((rows["target"] * rows["weight"]).sum() / rows["weight"].sum())
    torch.testing.assert_close(step.so_far().predict(rows)[:, 1], torch.full((600,), mean))


@pytest.mark.parametrize(("numbers", "cardinalities"), [(0, (40, 300)), (4, ()), (1, ())])
def test_tables_without_numbers_or_without_categories(
    numbers: int, cardinalities: tuple[int, ...]
) -> None:
    rows = table("two_classes")
    rows["numbers"] = rows["numbers"][:, :numbers]
    rows["categories"] = rows["categories"][:, : len(cardinalities)]
    layout = Layout(
        num_numbers=numbers, cardinalities=cardinalities, task="two_classes", num_outputs=1
    )
    step = BoostingRound(Trees(layout), rows, rows, layout, SETTINGS, 0, 1)
    turn(step, 20)
    assert torch.equal(step.trees.predict(rows), step.validation_predictions())


def test_starting_from_the_trees_of_another_run_goes_on_where_they_ended() -> None:
    first = boosting("number")
    means = turn(first, 20).means
    step = boosting("number", first.trees.truncated(20))
    assert turn(step, 21).means[0] < means[-1]


def test_importance_is_highest_for_the_column_that_matters() -> None:
    step = boosting("number")
    turn(step, 20)
    assert int(step.trees.importance().argmax()) == 0


def test_other_data_than_the_checkpoint_was_made_with_is_refused() -> None:
    step = boosting("number")
    turn(step, 20)
    rows = table("number", 500)
    resumed = BoostingRound(step.trees, rows, None, layout_for("number"), SETTINGS, 3, 1)
    with pytest.raises(DataError, match="600 train rows; this table has 500"):
        turn(resumed, 21)


def test_a_table_of_other_width_is_refused() -> None:
    step = boosting("number")
    turn(step, 20)
    rows = table("number")
    with pytest.raises(DataError, match="3 number and 2 category"):
        step.trees.predict(rows | {"numbers": rows["numbers"][:, :3]})


def test_a_task_without_a_loss_for_trees_is_refused() -> None:
    with pytest.raises(OptionError, match="next_item"):
        boosting_losses.derivatives("next_item", torch.zeros(2), torch.zeros(2), None)


def test_the_settings_follow_the_size_of_the_table() -> None:
    layout = layout_for("number")
    small, large = (TreeSettings.for_table(rows, layout) for rows in (500, 400_000))
    assert (small.num_leaves, large.num_leaves) == (7, 127)
    assert small.min_data_per_group < large.min_data_per_group == 200
    assert small.feature_fraction == pytest.approx(4 / 6)
    assert "block_rounds" not in small.parameters()


@pytest.fixture(scope="module")
def saved() -> dict[str, Tensor]:
    step = boosting("two_classes")
    turn(step, 20)
    return step.trees.state_dict()


def _set(name: str, place: int, value: float) -> Callable[[dict[str, Tensor]], None]:
    def change(state: dict[str, Tensor]) -> None:
        state[name][place] = value

    return change


def _category_node(state: dict[str, Tensor]) -> int:
    return int((state["decision"] % 2 == 1).nonzero()[0])


def _swap_kind(state: dict[str, Tensor]) -> None:
    state["decision"][_category_node(state)] -= 1


def _unknown_set(state: dict[str, Tensor]) -> None:
    state["threshold"][_category_node(state)] = 99.0


def _long_set(state: dict[str, Tensor]) -> None:
    state["category_set_words"][0] += 40
    extra = torch.zeros(40, dtype=torch.int64)
    state["category_words"] = torch.cat([extra, state["category_words"]])


def _one_leaf_less(state: dict[str, Tensor]) -> None:
    state["num_leaves"][0] -= 1
    state["num_leaves"][1] += 1


BROKEN: dict[str, Callable[[dict[str, Tensor]], None]] = {
    "child that does not exist": _set("left", 0, 7),
    "leaf that does not exist": _set("left", 0, -9),
    "back to itself": _set("right", 0, 0),
    "reached twice": _set("right", 0, 1),
    "column that is not": _set("split_feature", 0, 6),
    "negative column": _set("split_feature", 0, -1),
    "threshold not a number": _set("threshold", 0, float("nan")),
    "leaf not finite": _set("leaf_value", 3, float("inf")),
    "decision unknown": _set("decision", 0, 12),
    "no leaves": _set("num_leaves", 0, 0),
    "too many leaves": _set("num_leaves", 0, 1_000_000),
    "sets negative": _set("num_category_splits", 0, -1),
    "set sizes negative": _set("category_set_words", 0, -1),
    "set longer than its words": _set("category_set_words", 0, 2_000_000),
    "words too large": _set("category_words", 0, 2**32),
    "number split as a category": _swap_kind,
    "unknown category set": _unknown_set,
    "set beyond the column's categories": _long_set,
    "leaves moved between trees": _one_leaf_less,
    "gain not a number": _set("gain", 0, float("nan")),
    "negative node count": _set("node_count", 0, -1),
    "negative leaf count": _set("leaf_count", 0, -1),
    "base not finite": _set("base_scores", 0, float("nan")),
    "array missing": lambda state: state.__delitem__("left"),
    "other dtype": lambda state: state.__setitem__("left", state["left"].double()),
    "too short": lambda state: state.__setitem__("leaf_value", state["leaf_value"][:-1]),
    "fewer category counts": lambda state: state.__setitem__(
        "num_category_splits", state["num_category_splits"][:-1]
    ),
    "scores of another width": lambda state: state.__setitem__(
        "train_scores", torch.zeros(600, 2, dtype=torch.float64)
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_tampered_trees_are_refused_before_lightgbm_sees_them(
    fault: str, saved: dict[str, Tensor]
) -> None:
    state = {name: tensor.clone() for name, tensor in saved.items()}
    BROKEN[fault](state)
    trees = Trees(layout_for("two_classes"))
    with pytest.raises(BrokenCheckpointError):
        trees.load_state_dict(state)
    assert trees.num_rounds == 0


def test_a_broken_tree_is_named_by_its_number(saved: dict[str, Tensor]) -> None:
    state = {name: tensor.clone() for name, tensor in saved.items()}
    state["left"][7 * 5] = 7  # 8 leaves, 7 nodes a tree: the root of tree 5
    with pytest.raises(BrokenCheckpointError, match="Tree 5 is broken"):
        Trees(layout_for("two_classes")).load_state_dict(state)


def test_trees_that_do_not_make_whole_rounds_are_refused(saved: dict[str, Tensor]) -> None:
    three = layout_for("classes")
    state = {name: tensor for name, tensor in saved.items() if not name.endswith("scores")}
    with pytest.raises(BrokenCheckpointError, match="whole rounds of 3"):
        Trees(three).load_state_dict(state | {"base_scores": torch.zeros(3)})


def test_any_random_change_is_either_refused_or_harmless(saved: dict[str, Tensor]) -> None:
    draw = np.random.default_rng(0)
    names = [name for name in saved if not name.endswith("scores")]
    rows = table("two_classes", 100)
    for _ in range(150):
        state = {name: tensor.clone() for name, tensor in saved.items()}
        name = str(draw.choice(names))
        place = int(draw.integers(len(state[name])))
        state[name][place] = int(draw.integers(-20, 20))
        trees = Trees(layout_for("two_classes"))
        try:
            trees.load_state_dict(state)
        except BrokenCheckpointError:
            continue
        assert trees.predict(rows).isfinite().all()
