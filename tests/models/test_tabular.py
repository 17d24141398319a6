from __future__ import annotations

from typing import cast

import numpy as np
import pytest
import torch
from torch import Tensor

from treadle.contracts import Batch, Layout, Task
from treadle.errors import DataError, OptionError
from treadle.models.tabular import TabularNetwork, build, parameter_groups
from treadle.models.tabular_settings import TabularSettings
from treadle.models.trees import columns_of

SMALL = TabularSettings(num_members=4, width=32, num_frequencies=6, number_width=4)


def layout_of(
    task: Task, num_numbers: int = 5, cardinalities: tuple[int, ...] = (4, 40), outputs: int = 0
) -> Layout:
    return Layout(
        num_numbers=num_numbers,
        cardinalities=cardinalities,
        task=task,
        num_outputs=outputs or (3 if task == "classes" else 1),
    )


def rows_of(layout: Layout, num_rows: int = 64, seed: int = 0) -> Batch:
    draw = torch.Generator().manual_seed(seed)
    numbers = torch.randn(num_rows, layout.num_numbers, generator=draw)
    codes = [torch.randint(size, (num_rows,), generator=draw) for size in layout.cardinalities]
    categories = torch.stack(codes, 1) if codes else torch.zeros(num_rows, 0, dtype=torch.int64)
    signal = numbers.sum(1) if layout.num_numbers else categories[:, 0] - 1.5
    target = {
        "two_classes": (signal > 0).float(),
        "classes": (signal > -1).long() + (signal > 1).long(),
        "number": signal.float(),
    }[layout.task]
    return {"numbers": numbers, "categories": categories, "target": target}


def network(layout: Layout, seed: int = 0) -> TabularNetwork:
    return build(layout, num_rows=64, seed=seed, settings=SMALL)


LAYOUTS = {
    "two classes": layout_of("two_classes"),
    "three classes": layout_of("classes"),
    "a thousand classes": layout_of("classes", outputs=1000),
    "a number": layout_of("number"),
    "no numbers": layout_of("two_classes", 0),
    "no categories": layout_of("two_classes", 5, ()),
    "one number": layout_of("number", 1, ()),
    "one category": layout_of("classes", 0, (4,)),
    "a hundred thousand categories": layout_of("two_classes", 2, (100_000,)),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_trains_and_predicts(name: str) -> None:
    layout = LAYOUTS[name]
    model, rows = network(layout), rows_of(layout)
    outputs = model(rows)
    assert outputs.shape == (64, 4, layout.num_outputs)
    loss, weight = model.loss(outputs, rows)
    (loss / weight).backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    found = model.predict(outputs)
    if layout.task == "number":
        assert found.shape == (64,)
    else:
        assert found.shape == (64, max(2, layout.num_outputs))
        torch.testing.assert_close(found.sum(1), torch.ones(64))


@pytest.mark.parametrize("name", ["two classes", "three classes", "a number", "no numbers"])
def test_it_learns(name: str) -> None:
    layout = LAYOUTS[name]
    model, rows = network(layout), rows_of(layout, 256)
    optimizer = torch.optim.AdamW(parameter_groups(model, 1e-4), lr=1e-2)
    means = []
    torch.manual_seed(0)
    for _ in range(60):
        loss, weight = model.loss(model(rows), rows)
        optimizer.zero_grad()
        (loss / weight).backward()
        optimizer.step()
        means.append((loss / weight).item())
    assert means[-1] < 0.4 * means[0]


def test_the_same_seed_builds_the_same_network_and_leaves_the_generator_alone() -> None:
    layout = LAYOUTS["two classes"]
    torch.manual_seed(7)
    expected = torch.get_rng_state()
    first, second, other = network(layout, 1), network(layout, 1), network(layout, 2)
    assert torch.equal(torch.get_rng_state(), expected)
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[name]), name
    assert not torch.equal(first.mix.weight, other.mix.weight)


@pytest.mark.parametrize("narrow", [torch.uint8, torch.int16, torch.int32])
def test_categories_kept_narrow_are_the_same_categories(narrow: torch.dtype) -> None:
    layout = LAYOUTS["two classes"]
    rows, model = rows_of(layout), network(LAYOUTS["two classes"]).eval()
    kept = rows | {"categories": rows["categories"].to(narrow)}
    assert torch.equal(model(kept), model(rows))
    wide, same = columns_of(rows, layout), columns_of(kept, layout)
    assert np.array_equal(wide, same, equal_nan=True)


def test_members_differ_from_the_start() -> None:
    layout = LAYOUTS["two classes"]
    outputs = network(layout).eval()(rows_of(layout))
    assert (outputs.std(1) > 1e-4).all()


@pytest.mark.parametrize("name", ["two classes", "three classes", "a number"])
def test_a_row_of_weight_two_counts_as_two_rows(name: str) -> None:
    layout = LAYOUTS[name]
    model, rows = network(layout).eval(), rows_of(layout, 8)
    twice = {key: torch.cat([part, part[:3]]) for key, part in rows.items()}
    weights = torch.tensor([2.0] * 3 + [1.0] * 5)
    weighted = model.loss(model(rows), rows | {"weight": weights})
    repeated = model.loss(model(twice), twice)
    torch.testing.assert_close(weighted, repeated)


def test_values_come_back_in_the_unit_of_the_target() -> None:
    layout = LAYOUTS["a number"]
    model, rows = network(layout).eval(), rows_of(layout)
    standardised = model.predict(model(rows))
    model.set_target_scale(100.0, 7.0)
    torch.testing.assert_close(model.predict(model(rows)), standardised * 7 + 100)
    assert float(model.state_dict()["target_mean"]) == 100.0


def test_every_parameter_is_in_one_group_and_only_layers_decay() -> None:
    model = network(LAYOUTS["two classes"])
    groups = parameter_groups(model, 0.1)
    decayed = cast("list[Tensor]", groups[0]["params"])
    others = cast("list[Tensor]", groups[1]["params"])
    assert len(decayed) + len(others) == len(list(model.parameters()))
    assert groups[0]["weight_decay"] == 0.1
    assert groups[1]["weight_decay"] == 0.0
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    assert {names[id(parameter)] for parameter in decayed} == {
        "mix.weight",
        "backbone.blocks.0.0.weight",
        "backbone.blocks.1.0.weight",
        "output.weight",
    }


def test_wide_and_long_tables_get_a_smaller_network() -> None:
    layout = layout_of("two_classes", 200, (10,) * 20)
    long = TabularSettings.for_table(400_000, layout)
    short = TabularSettings.for_table(5_000, layout)
    assert long.batch_size > short.batch_size
    assert long.most_epochs < short.most_epochs


def test_few_rows_get_slow_waves_only() -> None:
    layout = LAYOUTS["a number"]
    few = build(layout, num_rows=1_000, seed=0)
    many = build(layout, num_rows=50_000, seed=0)
    assert few.numbers is not None
    assert many.numbers is not None
    assert few.numbers.embed.periodic.weight.max() < 1
    assert many.numbers.embed.periodic.weight.max() > 8


def test_embeddings_have_a_bounded_width() -> None:
    settings = TabularSettings()
    assert settings.category_width(2) == 2
    assert settings.category_width(100_000) == settings.most_category_width


def test_a_table_without_columns_is_refused() -> None:
    with pytest.raises(DataError, match="no column to learn from"):
        build(layout_of("number", 0, ()), num_rows=10, seed=0)


def test_a_task_that_is_not_a_tables_is_refused() -> None:
    with pytest.raises(OptionError, match="next_item"):
        build(layout_of("next_item"), num_rows=10, seed=0)
