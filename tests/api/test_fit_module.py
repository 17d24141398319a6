"""treadle.fit(module, data, …): every kind of data, loss, metric, step, watcher and option."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

import treadle
from treadle.errors import DataError, DivergedError, OptionError, RunError

WIDTH, CLASSES = 4, 3


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "run"


def a_module(outputs: int = CLASSES) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(WIDTH, 8), nn.ReLU(), nn.Linear(8, outputs))


def table(num_rows: int = 120) -> tuple[Tensor, Tensor]:
    x_NF = torch.randn(num_rows, WIDTH, generator=torch.Generator().manual_seed(1))
    return x_NF, x_NF[:, :CLASSES].argmax(1)


class Pairs(Dataset[tuple[Tensor, Tensor]]):
    def __len__(self) -> int:
        return 120

    def __getitem__(self, row: int) -> tuple[Tensor, Tensor]:
        x_NF, y_N = table()
        return x_NF[row] + 0.01 * random.random(), y_N[row]


class Stream(IterableDataset[tuple[Tensor, Tensor]]):
    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return iter(zip(*table(), strict=True))


def fit(out: Path, data: Any = None, module: nn.Module | None = None, **options: Any) -> Any:
    defaults: dict[str, Any] = {"loss": "cross_entropy", "until": "3 epochs", "batch_size": 16}
    defaults |= {"lr": 0.02, "out": out}
    return treadle.fit(
        module or a_module(), table() if data is None else data, **defaults | options
    )


def said(run: Any) -> str:
    return "\n".join(line["sentence"] for line in run.journal)


def values(run: Any, name: str) -> list[float]:
    return [line["values"][name] for line in run.metrics]


@pytest.mark.parametrize(
    "data",
    [
        table(),
        tuple(tensor.numpy() for tensor in table()),
        TensorDataset(*table()),
        Pairs(),
        DataLoader(Pairs(), batch_size=16, shuffle=True),
        DataLoader(TensorDataset(*table()), batch_size=16),
    ],
    ids=["tensors", "arrays", "TensorDataset", "Dataset", "loader", "in order"],
)
def test_learns_from_every_kind_of_data(out: Path, data: Any) -> None:
    run = fit(out, data)
    losses = values(run, "train_loss")
    assert losses[-1] < losses[0]
    assert run.result["stopped"]["reason"] == "epochs"
    assert run.result["stopped"]["epoch"] == 3


def test_a_dict_goes_to_the_module_by_name_and_its_target_to_the_loss(out: Path) -> None:
    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = a_module()

        def forward(self, numbers: Tensor, shift: Tensor) -> Tensor:
            found: Tensor = self.inner(numbers) + shift
            return found

    x_NF, y_N = table()
    data = {"numbers": x_NF, "shift": torch.zeros(120, 1), "target": y_N}
    run = fit(out, data, Named(), metrics=["accuracy"])
    assert values(run, "accuracy")[-1] > 0.4
    assert run.predict({"numbers": x_NF, "shift": torch.zeros(120, 1)}).shape == (120, CLASSES)


def test_a_modules_own_loss_is_used_as_transformers_give_it(out: Path) -> None:
    class WithLoss(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = a_module()

        def forward(self, x: Tensor, labels: Tensor | None = None) -> Any:
            logits = self.inner(x)
            loss = None if labels is None else nn.functional.cross_entropy(logits, labels)
            return SimpleNamespace(loss=loss, logits=logits)

    x_NF, y_N = table()
    run = fit(out, {"x": x_NF, "labels": y_N}, WithLoss(), loss=None, metrics="accuracy")
    assert values(run, "loss")[-1] < values(run, "loss")[0]
    assert run.predict({"x": x_NF}).shape == (120, CLASSES)


def test_several_inputs_come_before_the_target(out: Path) -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = a_module()

        def forward(self, first: Tensor, second: Tensor) -> Tensor:
            found: Tensor = self.inner(torch.cat([first, second], 1))
            return found

    x_NF, y_N = table()
    fit(out, (x_NF[:, :2], x_NF[:, 2:], y_N), Two())


def test_a_loss_may_be_a_function_or_a_name(tmp_path: Path) -> None:
    named = fit(tmp_path / "a")
    given = fit(tmp_path / "b", loss=nn.CrossEntropyLoss())
    assert values(named, "loss") == values(given, "loss")


@pytest.mark.parametrize(
    ("options", "found", "hint"),
    [
        ({"loss": "crossentropy"}, "no loss 'crossentropy'", "did you mean 'cross_entropy'"),
        ({"loss": "mse"}, "no loss 'mse'", "did you mean 'mean_squared_error'"),
        ({"loss": "L1Loss"}, "no loss 'L1Loss'", "did you mean 'mean_absolute_error'"),
        ({"loss": "nll_loss"}, "no loss 'nll_loss'", "did you mean 'cross_entropy'"),
        ({"loss": "BCE"}, "no loss 'BCE'", "did you mean 'binary_cross_entropy'"),
        ({"loss": None}, "no loss", "Give loss="),
        ({"metrics": ["acuracy"]}, "'acuracy' is not known", "did you mean 'accuracy'"),
        (
            {"metrics": ["accuracy"], "metric": "acuracy"},
            "not measured",
            "did you mean 'accuracy'",
        ),
        ({"metrics": {"mine": max}, "metric": "mine"}, "more of 'mine' is better", "higher_is_"),
        ({"bach_size": 3}, "no option 'bach_size'", "did you mean 'batch_size'"),
        ({"batch_size": 0}, "batch_size is 0", "above 0"),
        ({"batch_size": "many"}, "batch_size is 'many'", "above 0"),
        ({"until": 10}, "until is 10", "10 epochs"),
        ({"until": "10 epocs"}, "'epocs'", "did you mean 'epochs'"),
        ({"precision": "int8"}, "precision is 'int8'", "bf16"),
        ({"schedule": "cosin"}, "no schedule 'cosin'", "did you mean 'cosine'"),
        ({"optimizer": 3}, "optimizer is a int", "a torch optimizer"),
        ({"device": "gpu"}, "no device 'gpu'", "cuda"),
        ({"accumulate": 0}, "accumulate is 0", "1 or more"),
        ({"step": max, "clip_norm": 1.0}, "clip_norm was given beside a step", "in the step"),
        ({"until": "acuracy >= 0.9"}, "acuracy, which is not measured", "Measured here"),
    ],
    ids=str,
)
def test_a_mistake_is_told_with_what_to_do_and_leaves_nothing_behind(
    out: Path, options: dict[str, Any], found: str, hint: str
) -> None:
    with pytest.raises(OptionError) as raised:
        fit(out, **options)
    assert found in raised.value.message and hint in raised.value.hint
    assert not out.exists()


def test_all_wrong_options_are_told_together(out: Path) -> None:
    with pytest.raises(OptionError) as raised:
        fit(out, lr=-1, bach_size=3, precision="int8")
    assert raised.value.message.startswith("3 problems")


def test_metrics_by_name_are_scikit_learns_on_the_validation_rows(out: Path) -> None:
    run = fit(out, validation=table(40), metrics=["accuracy", "log_loss", "roc_auc"])
    x_NF, y_N = table(40)
    measured = (run.predict(x_NF).argmax(1) == y_N).float().mean()
    best = run.result["validation_metrics"]
    assert best["accuracy"] == pytest.approx(float(measured))
    assert best["log_loss"] == pytest.approx(best["loss"], rel=1e-4)
    assert 0.5 < best["roc_auc"] <= 1


def test_metrics_of_a_number_and_of_two_classes_take_one_output(tmp_path: Path) -> None:
    x_NF, _ = table()
    y_N1 = x_NF[:, :1] * 2
    options = {"metrics": ["r2", "mean_absolute_error"], "metric": "r2", "until": "10 epochs"}
    run = fit(tmp_path / "a", (x_NF, y_N1), a_module(1), loss="mean_squared_error", **options)
    assert run.result["metric"]["name"] == "r2" and run.result["metric"]["validation"] > 0.5
    options = {"metrics": ["roc_auc"], "metric": "roc_auc", "loss": "binary_cross_entropy"}
    run = fit(tmp_path / "b", (x_NF, (y_N1 > 0).float()), a_module(1), **options)
    assert run.result["metric"]["validation"] > 0.7


def test_own_metric_functions_see_all_validation_rows_at_once(out: Path) -> None:
    sizes = []

    def rows(output: Tensor, target: Tensor) -> int:
        sizes.append((len(output), len(target)))
        return len(output)

    run = fit(out, validation=table(50), metrics={"rows": rows})
    assert set(sizes) == {(50, 50)} and values(run, "rows") == [50] * 3


def test_a_metric_where_more_is_better_chooses_the_best_weights(out: Path) -> None:
    scores = iter([0.1, 0.9, 0.5])
    module = a_module()
    kept: list[Tensor] = []

    def watch(state: Any) -> None:
        if state.history and state.history[-1].step == state.step:
            kept.append(state.module.state_dict()["0.weight"].clone())

    run = fit(
        out,
        module=module,
        metrics={"mine": lambda o, t: next(scores)},
        metric="mine",
        higher_is_better=True,
        watchers=[watch],
    )
    assert run.result["metric"] == {"name": "mine", "validation": 0.9}
    assert torch.equal(module.state_dict()["0.weight"], kept[1])
    assert not torch.equal(kept[1], kept[2])
    assert run.module is module


def test_best_weights_come_back_through_load_into_a_module_of_the_same_shape(out: Path) -> None:
    module = a_module()
    fit(out, module=module)
    loaded = treadle.load(out, module=a_module())
    x_NF, _ = table()
    assert torch.equal(loaded.predict(x_NF), module.eval()(x_NF).detach())
    with pytest.raises(RunError, match="do not fit this module"):
        treadle.load(out, module=nn.Linear(2, 2))
    with pytest.raises(RunError, match="keeps weights, not code"):
        _ = treadle.load(out).module


def test_without_validation_data_rows_are_set_aside_and_that_is_said(out: Path) -> None:
    run = fit(out)
    rows = run.result["rows"]
    assert rows["train"] + rows["validation"] == 120 and 5 <= rows["validation"] <= 35
    assert f"{rows['validation']} of 120 rows" in said(run)


def test_too_few_rows_to_set_some_aside_are_refused(out: Path) -> None:
    with pytest.raises(DataError, match="only 5 rows"):
        fit(out, table(5))
    assert fit(out, table(5), validation=None).result["rows"]["validation"] == 0


def test_without_any_validation_the_training_loss_decides(out: Path) -> None:
    run = fit(out, validation=None)
    assert run.result["metric"]["name"] == "train_loss"
    assert run.result["stopped"]["best_step"] is not None


def test_a_loader_without_validation_data_is_warned_about(out: Path) -> None:
    run = fit(out, DataLoader(Pairs(), batch_size=16, shuffle=True))
    assert "warning: a DataLoader without validation data" in said(run)
    assert "Treadle's own took its place" in said(run)


@pytest.mark.parametrize("data", [Stream(), DataLoader(Stream(), batch_size=16)])
def test_a_stream_is_learned_from_counted_and_said_to_be_not_exact(out: Path, data: Any) -> None:
    run = fit(out, data, validation=table(30), validate_every=8)
    assert values(run, "loss")[-1] < values(run, "loss")[0]
    assert run.result["stopped"]["step"] == 24
    assert run.result["rows"]["train"] == 128  # whole batches of 16
    assert "not exact" in said(run)


def test_a_schedule_over_epochs_of_unknown_length_is_refused(out: Path) -> None:
    with pytest.raises(OptionError, match="does not say how many batches"):
        fit(out, Stream(), schedule="cosine")
    fit(out, Stream(), schedule="cosine", until="20 steps")


def test_an_own_watcher_sees_every_step_and_is_closed(out: Path) -> None:
    class Watch:
        steps, closed = 0, False

        def __call__(self, state: Any) -> None:
            self.steps += 1

        def close(self) -> None:
            self.closed = True

    watch = Watch()
    run = fit(out, watchers=[watch])
    assert watch.steps == run.result["stopped"]["step"] and watch.closed


def test_logged_numbers_join_the_curves_and_those_of_validation_do_not(out: Path) -> None:
    class Logging(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = a_module()

        def forward(self, x: Tensor) -> Tensor:
            treadle.log("training", float(self.training))
            found: Tensor = self.inner(x)
            return found

    run = fit(out, module=Logging())
    assert values(run, "training") == [1.0, 1.0, 1.0]


def test_logging_outside_a_training_does_nothing() -> None:
    treadle.log("nowhere", 1.0)


def test_a_module_may_keep_what_it_computed_while_validating(out: Path) -> None:
    class Caching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = a_module()
            self.cache: dict[int, Tensor] = {}

        def forward(self, x: Tensor) -> Tensor:
            if len(x) not in self.cache:
                self.cache[len(x)] = torch.ones(1, WIDTH) * 1.5
            found: Tensor = self.inner(x * self.cache[len(x)])
            return found

    x_NF, y_N = table()
    fit(out, (x_NF[:64], y_N[:64]), Caching(), validation=(x_NF[64:80], y_N[64:80]))


def test_an_optimizer_may_be_given_made_or_as_a_function(tmp_path: Path) -> None:
    module = a_module()
    given = fit(tmp_path / "a", module=module, optimizer=torch.optim.SGD(module.parameters(), 0.1))
    made = fit(tmp_path / "b", optimizer=lambda p: torch.optim.SGD(p, 0.1))
    assert values(given, "loss") == values(made, "loss")
    assert values(given, "learning_rate") == [0.1] * 3


def test_the_rate_follows_a_schedule_laid_out_for_the_epochs(out: Path) -> None:
    rates = values(fit(out, schedule="cosine", until="10 epochs"), "learning_rate")
    assert rates[0] > rates[4] > rates[-1]
    assert rates[-1] < 0.001


def test_a_torch_scheduler_of_ones_own_is_left_alone(out: Path) -> None:
    module = a_module()
    optimizer = torch.optim.SGD(module.parameters(), 0.1)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
    run = fit(
        out,
        module=module,
        optimizer=optimizer,
        extras={"scheduler": scheduler},
        watchers=[lambda state: scheduler.step() if state.position == 0 else None],
    )
    assert values(run, "learning_rate") == pytest.approx([0.1, 0.05, 0.025])


def test_a_plateau_lowers_the_rate_and_says_so(out: Path) -> None:
    run = fit(
        out, schedule="plateau", optimizer=lambda p: torch.optim.SGD(p, 1e-9), until="12 epochs"
    )
    decided = [line for line in run.journal if line["topic"] == "rate"]
    assert decided and "value" in decided[0]


def test_an_own_step_does_it_all(out: Path) -> None:
    module = a_module()

    def step(state: Any, batch: Any) -> float:
        x_BF, y_B = batch
        loss = nn.functional.cross_entropy(module(x_BF), y_B)
        state.optimizers["main"].zero_grad()
        loss.backward()
        state.optimizers["main"].step()
        treadle.log("half", loss.detach() / 2)
        return float(loss.detach())

    run = fit(out, module=module, step=step, loss=None, metrics=["accuracy"], metric="accuracy")
    assert values(run, "half")[-1] == pytest.approx(values(run, "train_loss")[-1] / 2, rel=0.02)
    assert run.result["metric"]["validation"] > 0.3
    assert "loss" not in run.metrics[0]["values"]


def test_an_own_step_without_anything_to_validate_with_trains_on_all_rows(out: Path) -> None:
    def step(state: Any, batch: Any) -> None:
        state.optimizers["main"].zero_grad()
        state.module(batch[0]).sum().backward()

    run = fit(out, step=step, loss=None)
    assert run.result["rows"] == {"train": 120, "validation": 0, "test": 0}
    assert "nothing can be measured" in said(run)


def test_a_loss_to_validate_with_must_be_there(out: Path) -> None:
    with pytest.raises(OptionError, match="metric is 'loss'"):
        fit(out, step=lambda state, batch: None, loss=None, validation=table(20))


def test_metrics_on_an_output_that_is_no_tensor_are_refused_in_words(out: Path) -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = a_module()

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return self.inner(x), x

    loss = lambda output, target: nn.functional.cross_entropy(output[0], target)  # noqa: E731
    with pytest.raises(DataError, match="output is a tuple"):
        fit(out, module=Two(), loss=loss, metrics=["accuracy"])


def test_weights_of_an_earlier_run_are_taken_and_what_that_saved_is_said(tmp_path: Path) -> None:
    earlier = a_module()
    fit(tmp_path / "first", module=earlier, until="10 epochs")
    larger = a_module(outputs=5)
    seen: list[Tensor] = []
    run = fit(
        tmp_path / "second",
        module=larger,
        start_from=tmp_path / "first",
        lr=1e-9,
        average=0.5,
        watchers=[lambda state: seen.append(state.average["0.weight"].clone())],
    )
    assert torch.allclose(larger.state_dict()["0.weight"], earlier.state_dict()["0.weight"])
    assert torch.allclose(seen[0], earlier.state_dict()["0.weight"])
    assert "40 of 85 weights (47%)" in said(run) and "Learned anew: 2.weight, 2.bias" in said(run)


def test_weights_that_do_not_fit_at_all_are_refused(tmp_path: Path) -> None:
    fit(tmp_path / "first")
    x_NF, y_N = table()
    with pytest.raises(RunError, match="none of the 4 weights"):
        fit(tmp_path / "b", (x_NF, y_N), nn.Linear(4, 9), start_from=tmp_path / "first")
    assert not (tmp_path / "b").exists()


def test_batches_that_are_not_finite_are_skipped_and_said(out: Path) -> None:
    x_NF, y_N = table()
    x_NF[7, 0] = math.nan
    run = fit(out, (x_NF, y_N), validation=table(30))
    assert "not a finite number; they were skipped" in said(run)
    assert run.result["metric"]["validation"] < 1.1


def test_a_training_without_one_finite_batch_ends_in_words(out: Path) -> None:
    x_NF, y_N = table()
    with pytest.raises(DivergedError, match="could not learn") as raised:
        fit(out, (x_NF * math.nan, y_N), validation=None)
    assert "missing numbers" in raised.value.hint


def test_a_finished_run_is_not_written_over_unless_asked(out: Path) -> None:
    fit(out)
    with pytest.raises(RunError, match="a finished run"):
        fit(out)
    run = fit(out, overwrite=True, until="1 epoch")
    assert run.result["stopped"]["epoch"] == 1 and len(run.metrics) == 1


def test_the_average_of_the_weights_is_what_is_measured_and_kept(out: Path) -> None:
    module = a_module()
    averages: list[dict[str, Tensor]] = []
    fit(
        out,
        module=module,
        average=0.9,
        until="1 epoch",
        watchers=[lambda s: averages.append({n: t.clone() for n, t in s.average.items()})],
    )
    for name, parameter in module.named_parameters():
        assert torch.equal(parameter, averages[-1][name])


@pytest.mark.parametrize("options", [{"accumulate": 4}, {"precision": "bf16"}, {"clip_norm": 1.0}])
def test_options_of_the_step_reach_it(out: Path, options: dict[str, Any]) -> None:
    losses = values(fit(out, **options), "loss")
    assert losses[-1] < losses[0]


def test_other_data_is_refused_on_resume_although_it_has_as_many_rows(out: Path) -> None:
    fit(out)
    x_NF, y_N = table()
    with pytest.raises(RunError, match="the data has changed"):
        fit(out, (x_NF + 1, y_N), resume=True)


def test_a_run_that_was_stopped_goes_on_in_the_same_process(out: Path) -> None:
    module = a_module()
    optimizer = torch.optim.AdamW(module.parameters(), lr=0.02)

    class Stop(Exception):
        pass

    def stop(state: Any) -> None:
        if state.step == 9:
            raise Stop

    options = {"module": module, "optimizer": optimizer, "schedule": "cosine"}
    with pytest.raises(Stop):
        fit(out, watchers=[stop], save_every_seconds=1e-9, **options)
    run = fit(out, resume=True, **options)
    assert run.result["stopped"]["epoch"] == 3
    whole = fit(out.with_name("whole"), schedule="cosine")
    assert [line["values"] for line in run.metrics] == [line["values"] for line in whole.metrics]


def test_validation_draws_nothing_from_the_generators_of_training(tmp_path: Path) -> None:
    def draw(output: Tensor, target: Tensor) -> float:
        return random.random() + float(torch.rand(())) + float(np.random.rand())

    def module() -> nn.Module:
        return nn.Sequential(nn.Dropout(0.5), a_module())

    quiet = fit(tmp_path / "quiet", module=module())
    drawing = fit(tmp_path / "drawing", module=module(), metrics={"drawn": draw})
    assert values(quiet, "loss") == values(drawing, "loss")


def test_numbers_of_numpy_are_fine_as_metrics(out: Path) -> None:
    run = fit(out, metrics={"mine": lambda o, t: np.float32(0.5)})
    assert values(run, "mine") == [0.5] * 3


def test_a_module_without_data_or_two_tables_are_refused() -> None:
    with pytest.raises(OptionError, match="a module and no data"):
        treadle.fit(a_module())
    with pytest.raises(OptionError, match="the first is a torch module"):
        treadle.fit({"a": [1]}, {"b": [1]})
