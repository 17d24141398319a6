"""TrainState: all that changes while a model is trained, in one place."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from treadle.contracts import Cursor, Json, Validation
from treadle.errors import RunError
from treadle.loop.forget import forget
from treadle.loop.likeness import must_be_like
from treadle.loop.randomness import generator_states, set_generator_states
from treadle.loop.tree import flatten, unflatten


class Stateful(Protocol):
    """Whatever can say its state and take it back: modules, optimizers, trees, a user's own."""

    def state_dict(self) -> Any: ...
    def load_state_dict(self, state_dict: Any, /) -> Any: ...


class Totals:
    """Sums since the last look, kept where the model is so that nothing waits: float64 scalars.

    loss, weight: of the batches trained on; non_finite: batches skipped, since the run began;
    logged:       by name, what a user's code logged: [sum, count].
    """

    def __init__(self, device: torch.device) -> None:
        self.loss = torch.zeros((), dtype=torch.float64, device=device)
        self.weight = torch.zeros((), dtype=torch.float64, device=device)
        self.non_finite = torch.zeros((), dtype=torch.int64, device=device)
        self.logged: dict[str, Tensor] = {}

    def add(self, loss: Tensor, weight: Tensor | float) -> None:
        self.loss.add_(loss.detach())
        self.weight.add_(weight)

    def take_mean(self) -> float:
        """Return the mean loss since the last call; NaN if no batch was counted. Waits."""
        mean = float(self.loss / self.weight)
        self.loss.zero_()
        self.weight.zero_()
        return mean

    def log(self, name: str, value: Tensor | float) -> None:
        """Count `value` into the mean of `name` that the next validation writes to the curves."""
        if name not in self.logged:
            self.logged[name] = torch.zeros(2, dtype=torch.float64, device=self.loss.device)
        self.logged[name][0] += value.detach() if isinstance(value, Tensor) else value
        self.logged[name][1] += 1

    def take_logged(self) -> dict[str, float]:
        """Return the means of what was logged since the last call."""
        means = {name: float(pair[0] / pair[1]) for name, pair in sorted(self.logged.items())}
        self.logged.clear()
        return means

    def tensors(self) -> dict[str, Tensor]:
        """Return every sum by name."""
        own = {"loss": self.loss, "weight": self.weight, "non_finite": self.non_finite}
        return own | {f"log/{name}": pair for name, pair in self.logged.items()}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Become the sums that `tensors` returned."""
        names = [name.removeprefix("log/") for name in tensors if name.startswith("log/")]
        self.logged = {name: torch.zeros_like(self.loss).repeat(2) for name in names}
        for name, tensor in self.tensors().items():
            tensor.copy_(tensors[name])


@dataclass(kw_only=True, eq=False)
class TrainState:
    """Model, optimizers, generators, cursor, averages, what watchers remember, the best so far.

    model:       a module, or trees; its tensors are never re-bound, loading copies into them
    optimizers:  by name; empty for trees
    extras:      by name, anything else with a state_dict that a user's own step needs
    horizon:     the number of steps that the schedule is laid out for; changed by decisions alone
    scale:       a factor on the learning rate; changed by decisions alone
    average:     EMA of the weights by parameter name, or empty
    memory:      by watcher, what it must remember across a resume (JSON)
    best_weights: the model's state at the best validation; where training began, until there is one
    """

    model: Stateful
    optimizers: dict[str, torch.optim.Optimizer] = field(default_factory=dict)
    extras: dict[str, Stateful] = field(default_factory=dict)
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    step: int = 0
    epoch: int = 0
    position: int = 0
    horizon: int = 0
    scale: float = 1.0
    average: dict[str, Tensor] = field(default_factory=dict)
    history: list[Validation] = field(default_factory=list)
    memory: dict[str, Json] = field(default_factory=dict)
    best_step: int | None = None
    best_value: float | None = None
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    seconds_before: float = 0.0
    totals: Totals = field(init=False)

    def __post_init__(self) -> None:
        self.totals = Totals(self.device)
        self._started = time.monotonic()

    @property
    def cursor(self) -> Cursor:
        return Cursor(self.epoch, self.position)

    @property
    def seconds(self) -> float:
        """Time spent in training, that of earlier attempts included."""
        return self.seconds_before + time.monotonic() - self._started

    @property
    def module(self) -> nn.Module:
        """The model, where it is a torch module."""
        assert isinstance(self.model, nn.Module)
        return self.model

    def advance(self, cursor: Cursor) -> None:
        """Count one step, and stand where the batch ended."""
        self.step += 1
        self.epoch, self.position = cursor

    def keep_best(self, value: float, *, weights: bool = True) -> None:
        """Remember this step as the best, with its weights (averaged ones, where there are any).

        weights=False: trees only grow, and the best are their first `best_step` rounds.
        """
        self.best_step, self.best_value = self.step, value
        if not weights:
            return
        present = self._averaged_state()
        if present.keys() == self.best_weights.keys() and all(
            self.best_weights[name].shape == tensor.shape for name, tensor in present.items()
        ):
            for name, tensor in present.items():
                self.best_weights[name].copy_(tensor)
        else:
            self.best_weights = {name: tensor.clone() for name, tensor in present.items()}

    def keep_start(self) -> None:
        """Keep the weights that training begins with, to go back to while none are known better."""
        if not self.best_weights:
            self.best_weights = {n: t.clone() for n, t in self._averaged_state().items()}

    def give_back_best(self) -> None:
        """Put the best weights into the model, where a validation has found some."""
        if self.best_weights and self.best_step is not None:
            self.model.load_state_dict({**self.model.state_dict(), **self.best_weights})

    def roll_back(self) -> None:
        """Go on from the best weights, with averages to match and optimizers that remember nothing.

        What training counts (steps, the cursor, generators, history) stays as it is.
        """
        self.model.load_state_dict({**self.model.state_dict(), **self.best_weights})
        for name, parameter in self.module.named_parameters():
            if name in self.average:
                self.average[name].copy_(parameter.detach())
        for optimizer in self.optimizers.values():
            forget(optimizer)
        self.totals.loss.zero_()
        self.totals.weight.zero_()

    def _averaged_state(self) -> dict[str, Tensor]:
        """Return the model's tensors by name, the averaged ones in place of their parameters.

        A parameter that two parts of a module share has two names there and one average.
        """
        own = self.model.state_dict()
        tensors = {name: value for name, value in own.items() if isinstance(value, Tensor)}
        if not self.average:
            return tensors
        every = list(self.module.named_parameters(remove_duplicate=False))
        averages = {id(p): self.average[name] for name, p in every if name in self.average}
        return tensors | {name: averages[id(p)] for name, p in every if id(p) in averages}

    def snapshot(self) -> tuple[dict[str, dict[str, Tensor]], Json]:
        """Return a copy of everything: tensors by file and name (on the CPU), and JSON facts."""
        files: dict[str, dict[str, Tensor]] = {
            "totals": self.totals.tensors(),
            "average": self.average,
            "best": self.best_weights,
            "random": generator_states(),
        }
        skeletons: Json = {"model": flatten(self.model.state_dict(), files.setdefault("model", {}))}
        for place in ("optimizers", "extras"):
            tensors = files.setdefault(place, {})
            parts: Mapping[str, Stateful] = getattr(self, place)
            skeletons[place] = {
                name: flatten(part.state_dict(), tensors, name) for name, part in parts.items()
            }
        copies = {
            file: {name: tensor.to("cpu", copy=True).contiguous() for name, tensor in group.items()}
            for file, group in files.items()
        }
        return copies, self._facts() | {"skeletons": skeletons}

    def restore(self, files: dict[str, dict[str, Tensor]], facts: Json) -> None:
        """Become the state that a snapshot holds. Tensors keep their place: their bytes change.

        Raises: RunError when it is the state of something else.
        """
        try:
            self._become(files, facts)
        except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise RunError(
                f"the checkpoint of step {facts['step']:,} does not fit what is trained here: "
                f"{' '.join(str(error).split()) or type(error).__name__}.",
                "Resume with what the run was started with, or start a new run.",
            ) from error

    def _become(self, files: dict[str, dict[str, Tensor]], facts: Json) -> None:
        skeletons = facts["skeletons"]
        self.model.load_state_dict(unflatten(skeletons["model"], files["model"]))
        for place in ("optimizers", "extras"):
            for name, part in getattr(self, place).items():
                saved = _saved(place, name, skeletons[place])
                take_back(part, unflatten(saved, files[place]))
        self.totals.restore(files["totals"])
        for name, tensor in self.average.items():
            tensor.copy_(files["average"][name])
        self.best_weights = {n: t.to(self.device, copy=True) for n, t in files["best"].items()}
        for name in ("step", "epoch", "position", "horizon", "scale"):
            setattr(self, name, facts[name])
        self.memory = copy.deepcopy(facts["memory"])
        self.best_step, self.best_value = facts["best_step"], facts["best_value"]
        self.history = [Validation(**entry) for entry in facts["history"]]
        self.seconds_before, self._started = facts["seconds"], time.monotonic()
        set_generator_states(files["random"])

    def _facts(self) -> Json:
        names = "step", "epoch", "position", "horizon", "scale", "best_step", "best_value"
        history = [vars(entry) | {"metrics": dict(entry.metrics)} for entry in self.history]
        return {name: getattr(self, name) for name in names} | {
            "memory": copy.deepcopy(self.memory),  # it is written to disk while training goes on
            "history": history,
            "seconds": self.seconds,
        }


def take_back(part: Stateful, state: Any) -> None:
    """Load a state; an optimizer's tensors keep their place where they are there already.

    torch's optimizers would take the given tensors for their own, in the layout they come in.
    """
    if not isinstance(part, torch.optim.Optimizer):
        part.load_state_dict(state)
        return
    form = _form_of(part, state)
    before = {parameter: dict(values) for parameter, values in part.state.items()}
    part.load_state_dict(copy.deepcopy(state))
    must_be_like(part.state_dict(), form, "the optimizer's state")
    for parameter, values in part.state.items():
        for name, loaded in values.items():
            own = before.get(parameter, {}).get(name)
            if not isinstance(own, Tensor) or not isinstance(loaded, Tensor):
                continue
            if own.shape == loaded.shape:
                values[name] = own.copy_(loaded)


def _form_of(optimizer: torch.optim.Optimizer, saved: Any) -> Json:
    """Return what an optimizer's state must be like once it has taken back what was saved.

    Settings that came later than its making may be missing; values of parameters, where it makes
    them late, from all of what was saved.
    """
    present = optimizer.state_dict()
    always = {*optimizer.defaults, "params"}
    groups = [{k: v for k, v in g.items() if k in always} for g in present["param_groups"]]
    has_values = not isinstance(saved, dict) or bool(saved.get("state"))
    return {"param_groups": groups, "state": present["state"] if has_values else {}}


def _saved(place: str, name: str, skeletons: Json) -> Any:
    if name in skeletons:
        return skeletons[name]
    raise RunError(
        f"the checkpoint keeps no state of '{name}' among its {place}: "
        f"{', '.join(skeletons) or 'there are none'}.",
        "Resume with the same optimizers and extras, or start a new run.",
    )
