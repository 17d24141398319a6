"""The zoo: enough of every trouble, planted as it says, judged as it should be."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks.zoo import judge as judging
from benchmarks.zoo.catalogue import all_recipes, chosen, without_data
from benchmarks.zoo.curves import curves
from benchmarks.zoo.judge import Judged
from benchmarks.zoo.kept import RUNS, is_kept
from benchmarks.zoo.made import MADE
from benchmarks.zoo.networks import Shape, build
from benchmarks.zoo.own_recipes import BASES
from benchmarks.zoo.plants import (
    SPIKE_BATCHES,
    SPIKE_EPOCHS,
    Plant,
    plant_in_rows,
    plant_in_weights,
    training_data,
)
from benchmarks.zoo.recipe import CAUSES, KINDS, Place, Recipe
from benchmarks.zoo.worker import Task, train

HERE = Place(folder=Path(), data=None, cache=Path())
QUICK = "module/healthy/straight-sgd-plain"


def recipe_named(name: str) -> Recipe:
    return chosen(all_recipes(), name)[0]


def test_holds_enough_runs_of_every_cause_and_kind() -> None:
    recipes = all_recipes()
    assert len(recipes) >= 240
    assert sum(recipe.cause == "healthy" for recipe in recipes) >= 80
    assert {recipe.cause for recipe in recipes} == set(CAUSES)
    assert {recipe.kind for recipe in recipes} == set(KINDS)


def test_made_data_alone_makes_up_enough_runs() -> None:
    recipes = all_recipes()
    missing = without_data(recipes, None)
    assert "adult" in missing
    assert len(recipes) - sum(map(len, missing.values())) >= 240


def test_a_recipe_is_another_one_when_a_setting_changes() -> None:
    recipe = recipe_named(QUICK)
    slower = replace(recipe.settings, base=replace(recipe.settings.base, rate=1e-5))
    assert replace(recipe, settings=slower).key != recipe.key
    assert recipe_named(QUICK).key == recipe.key


def test_noise_draws_a_fifth_of_the_labels_anew() -> None:
    base = BASES["blobs-apart-sgd"]
    make = MADE[base.data]
    clean = plant_in_rows(make, base, Plant(), 0, HERE)
    noisy = plant_in_rows(make, base, Plant(noisy=0.2), 0, HERE)
    for before, after in zip(clean, noisy, strict=True):
        assert torch.equal(before.inputs[0], after.inputs[0])
        changed = float((before.target != after.target).float().mean())
        assert 0.1 < changed < 0.2  # a fifth, but some draw the label that was there


def test_a_leak_tells_the_target_in_both_parts() -> None:
    base = BASES["chances-mlp"]
    for rows in plant_in_rows(MADE[base.data], base, Plant(leak=0.01), 0, HERE):
        told = rows.inputs[0][:, -1]
        assert torch.equal((told > 0).long(), rows.target)
        assert rows.shape.inputs == rows.inputs[0].shape[1]


@pytest.mark.parametrize("spike", ["batches", "once"])
def test_spikes_come_in_whole_batches_of_the_planned_epochs(spike: str) -> None:
    base = BASES["blobs-mlp"]
    plant = Plant(spike=spike)  # type: ignore[arg-type]
    rows, _ = plant_in_rows(MADE[base.data], base, plant, 0, HERE)
    loader = training_data(rows, base, plant, 0)
    for epoch in range(6):
        wild = [float(x.abs().mean()) > 100 for x, _ in loader]
        expected = SPIKE_BATCHES if spike == "batches" or epoch in SPIKE_EPOCHS else 0
        assert sum(wild) == expected
        assert len(wild) == len(loader)


def test_planted_dead_units_never_fire() -> None:
    module = build("mlp 20", Shape(inputs=5, outputs=2), seed=0)
    plant_in_weights(module, Plant(dead=0.9))
    fired = module[:2](torch.randn(500, 5)) > 0  # type: ignore[index]
    assert int(fired.any(0).sum()) == 2


def test_trains_once_and_knows_it_again(tmp_path: Path) -> None:
    recipe = recipe_named(QUICK)
    task = Task(
        recipe=recipe,
        folder=tmp_path / "runs" / recipe.name,
        data=None,
        cache=tmp_path / "cache",
        steps_factor=1,
        source="one",
    )
    assert not is_kept(tmp_path, task)
    line = train(task)
    assert line["problem"] == ""
    (tmp_path / RUNS).write_text(json.dumps(line) + "\n")
    assert is_kept(tmp_path, task)
    assert not is_kept(tmp_path, replace(task, source="another"))
    assert not is_kept(tmp_path, replace(task, steps_factor=5))
    (curve,) = curves(tmp_path)
    assert (curve.metric, curve.higher_is_better) == ("loss", False)
    assert len(curve.history) == recipe.settings.base.epochs
    assert curve.history[-1]["values"]["loss"] < curve.history[0]["values"]["loss"]


def test_right_is_the_most_confident_verdict_or_an_accepted_one(tmp_path: Path) -> None:
    recipe = recipe_named("module/rate_too_high/blobs-mlp-x100")
    folder = tmp_path / "runs" / recipe.name
    folder.mkdir(parents=True)

    def said(**confidences: float) -> bool:
        verdicts = [{"name": n, "confidence": c} for n, c in confidences.items()]
        (folder / "result.json").write_text(json.dumps({"verdicts": verdicts}))
        line = {"name": recipe.name, "key": recipe.key}
        (tmp_path / RUNS).write_text(json.dumps(line) + "\n")
        (judged,) = judging.judge(tmp_path)
        return judged.is_right

    assert said(leak=0.2, rate_too_high=0.9)
    assert said(diverged=0.9)
    assert not said(leak=0.9, rate_too_high=0.2)
    assert not said()


def test_a_healthy_run_is_right_only_where_nothing_is_said() -> None:
    recipe = recipe_named(QUICK)
    assert Judged(recipe=recipe, said=(), judges=True).is_right
    assert not Judged(recipe=recipe, said=("plateau",), judges=True).is_right


def test_a_run_of_an_older_recipe_is_not_judged(tmp_path: Path) -> None:
    recipe = recipe_named(QUICK)
    (tmp_path / RUNS).write_text(json.dumps({"name": recipe.name, "key": "older"}) + "\n")
    assert list(judging.judge(tmp_path)) == []


def test_the_commit_draws_another_half_each_time() -> None:
    recipes = all_recipes()
    halves = [
        {recipe.name for recipe in recipes if judging.is_drawn(commit, recipe)}
        for commit in ("a" * 40, "b" * 40)
    ]
    assert halves[0] != halves[1]
    for half in halves:
        assert 0.4 < len(half) / len(recipes) < 0.6
