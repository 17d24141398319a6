"""The sequence model: what it may look at, what its randomness hangs on, and that it learns."""

import pytest
import torch
from torch import Tensor

from treadle.contracts import Batch
from treadle.models.recommender import Recommender, RecommenderConfig

LENGTH = 6
SMALL = RecommenderConfig(num_items=20, width=16, blocks=2, heads=2, history_length=LENGTH)


def network(config: RecommenderConfig = SMALL) -> Recommender:
    """Return a network whose every weight matters: nothing is left at zero."""
    torch.manual_seed(0)
    built = Recommender(config)
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return built.eval()


def windows(rows: int, *, tied: bool = False, first_row: int = 0) -> Batch:
    """Return full windows of different items, `tied` with one time for all."""
    generator = torch.Generator().manual_seed(1)
    items = torch.stack(
        [torch.randperm(20, generator=generator)[: LENGTH + 1] + 1 for _ in range(rows)]
    )
    steps = torch.zeros(LENGTH + 1) if tied else torch.arange(LENGTH + 1) * 50.0
    return {
        "items": items,
        "times": steps.double().expand(rows, -1).clone(),
        "kinds": torch.ones_like(items),
        "event_weight": torch.ones(items.shape),
        "row": torch.arange(rows) + first_row,
        "epoch": torch.zeros(rows, dtype=torch.int64),
    }


def scored(model: Recommender, *history: int) -> Tensor:
    items = torch.tensor([history])
    times = torch.arange(items.shape[1]).double()[None] * 10
    return model.scores(items, times, (items > 0).long())[0]


def test_later_events_do_not_change_earlier_answers() -> None:
    model, batch = network(), windows(3)
    before = model(batch)
    changed = {**batch, "items": batch["items"].clone(), "kinds": batch["kinds"].clone()}
    changed["items"][:, -1] = batch["items"][:, 0]
    assert torch.equal(model(changed)[:, :-1], before[:, :-1])
    assert not torch.allclose(model(changed)[:, -1], before[:, -1])


def test_padding_changes_nothing() -> None:
    model = network()
    bare = model.scores(
        torch.tensor([[3, 4]]), torch.tensor([[5.0, 9.0]]).double(), torch.ones(1, 2).long()
    )
    padded = model.scores(
        torch.tensor([[0, 0, 3, 4]]),
        torch.tensor([[5.0, 5.0, 5.0, 9.0]]).double(),
        torch.tensor([[0, 0, 1, 1]]),
    )
    assert torch.allclose(bare, padded, atol=1e-5)


def test_what_training_foresees_is_what_scores_say() -> None:
    model, batch = network(), windows(4)
    trained = model(batch)[:, -1]
    served = model.scores(batch["items"][:, :-1], batch["times"][:, :-1], batch["kinds"][:, :-1])
    target = batch["items"][:, -1] - 1
    expected = served.log_softmax(1).gather(1, target[:, None])[:, 0]
    assert torch.allclose(trained, expected, atol=1e-5)


def test_time_and_kind_of_events_matter() -> None:
    model = network(SMALL.model_copy(update={"num_kinds": 2}))
    items = torch.tensor([[3, 4]])
    times, kinds = torch.tensor([[0.0, 9.0]]).double(), torch.ones(1, 2).long()
    usual = model.scores(items, times, kinds)
    assert not torch.allclose(usual, model.scores(items, times * 1e4, kinds))
    assert not torch.allclose(usual, model.scores(items, times, kinds + 1))
    assert torch.allclose(usual, model.scores(items, times + 1e9, kinds))


def test_without_a_history_popularity_speaks() -> None:
    model = network()
    model.begin_with(torch.arange(20).float())
    assert torch.equal(scored(model, 0, 0), model.item_bias)
    assert int(scored(model, 0).argmax()) == 19


def test_order_of_equal_times_is_drawn_anew_each_epoch_from_row_and_epoch_alone() -> None:
    model, batch = network(), windows(8, tied=True)
    first = model._window(batch)
    again = model._window({name: tensor[[5]] for name, tensor in batch.items()})
    later = model._window({**batch, "epoch": batch["epoch"] + 1})
    assert torch.equal(first.items[5], again.items[0])
    assert not torch.equal(first.items, later.items)
    untied = windows(8)
    assert torch.equal(model._window(untied).items, untied["items"][:, :-1])


def test_padding_stays_in_front_when_ties_are_drawn() -> None:
    batch = windows(16, tied=True)
    batch["items"][:, :3] = 0
    window = network()._window(batch)
    assert (window.items[:, :3] == 0).all() and (window.items[:, 3:] > 0).all()
    assert (window.weight[:, :3] == 0).all() and (window.weight[:, 3:] == 1).all()


def test_negatives_hang_on_row_and_epoch_alone() -> None:
    model, batch = network(SMALL.model_copy(update={"negatives": 7})), windows(5)
    drawn, _ = model._draw(batch)
    alone, _ = model._draw({name: tensor[[3]] for name, tensor in batch.items()})
    later, _ = model._draw({**batch, "epoch": batch["epoch"] + 1})
    assert torch.equal(drawn[3], alone[0])
    assert not torch.equal(drawn, later)


def test_popular_items_are_drawn_more_often() -> None:
    model = network(SMALL.model_copy(update={"negatives": 4000}))
    model.begin_with(torch.arange(20).float() * 10)
    drawn, log_expected = model._draw(windows(1))
    counts = torch.bincount(drawn[0], minlength=20).float()
    expected = torch.zeros(20).scatter_(0, drawn[0], log_expected[0].exp())
    assert torch.allclose(counts, expected, atol=70)


def test_drawn_negatives_stand_for_the_whole_catalogue() -> None:
    whole, batch = network(), windows(6)
    drawn = network(SMALL.model_copy(update={"negatives": 20_000}))
    assert torch.allclose(whole(batch), drawn(batch), atol=0.1)


@pytest.mark.parametrize("negatives", [0, 8])
def test_loss_counts_weights_and_every_weight_gets_a_gradient(negatives: int) -> None:
    model = network(SMALL.model_copy(update={"negatives": negatives})).train()
    batch = windows(4)
    batch["event_weight"][1] = 0
    total, weight = model.loss(model(batch), batch)
    assert float(weight) == 3 * LENGTH
    total.backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())


def test_scoring_leaves_the_mode_of_the_module_alone() -> None:
    model = network().train()
    assert torch.equal(scored(model, 3, 4), scored(model, 3, 4))
    assert model.training


@pytest.mark.parametrize("negatives", [0, 10])
def test_learns_that_items_follow_each_other(negatives: int) -> None:
    config = RecommenderConfig(
        num_items=12,
        width=16,
        blocks=1,
        heads=1,
        history_length=5,
        dropout=0.0,
        negatives=negatives,
    )
    torch.manual_seed(0)
    model = Recommender(config)
    start = torch.arange(48)[:, None] % 12
    items = (start + torch.arange(6)) % 12 + 1
    batch = {
        "items": items,
        "times": torch.arange(6).double().expand(48, -1) * 100,
        "kinds": torch.ones_like(items),
        "event_weight": torch.ones(items.shape),
        "row": torch.arange(48),
    }
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for epoch in range(40):
        batch["epoch"] = torch.full((48,), epoch)
        total, weight = model.loss(model(batch), batch)
        optimizer.zero_grad()
        (total / weight).backward()
        optimizer.step()
    best = [int(scored(model, item).argmax()) + 1 for item in range(1, 13)]
    assert best == [item % 12 + 1 for item in range(1, 13)]


def test_large_catalogues_draw_negatives() -> None:
    assert RecommenderConfig.for_catalogue(1000).negatives == 0
    assert RecommenderConfig.for_catalogue(50_000).negatives > 0


def test_sparse_gradients_say_what_dense_ones_do() -> None:
    drawing = SMALL.model_copy(update={"negatives": 8, "dropout": 0.0})
    found = []
    for config in (drawing, drawing.model_copy(update={"sparse_vectors": True})):
        model, batch = network(config), windows(4)
        total, weight = model.loss(model(batch), batch)
        (total / weight).backward()
        assert model.item_vectors.grad is not None
        found.append(model.item_vectors.grad)
    dense, sparse = found
    assert sparse.is_sparse and not dense.is_sparse
    assert torch.allclose(sparse.to_dense(), dense, atol=1e-6)


def test_only_very_large_catalogues_have_sparse_gradients() -> None:
    assert not RecommenderConfig.for_catalogue(1000).sparse_vectors
    assert not RecommenderConfig.for_catalogue(100_000).sparse_vectors
    large = RecommenderConfig.for_catalogue(1_000_000)
    assert large.sparse_vectors and large.negatives > 0
