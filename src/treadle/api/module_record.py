"""What a run of an engineer's own module records: its options in text, its weights, its result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treadle.api.member import summary
from treadle.api.module_options import ModuleOptions
from treadle.api.training import Trained, Training
from treadle.contracts import Json
from treadle.folder import RunFolder

if TYPE_CHECKING:
    import torch
    from torch import nn

    from treadle.data.own import Own


def config_of(module: nn.Module, source: Own, options: ModuleOptions, training: Training) -> Json:
    """Return what a resume is compared with: everything but callables, which have no text."""
    tensors = {n: t for n, t in module.state_dict().items() if hasattr(t, "shape")}
    shapes = {name: list(tensor.shape) for name, tensor in tensors.items()}
    return {
        "kind": "module",
        "options": {
            "module": type(module).__name__,
            "parameters": shapes,
            "rows": source.num_rows,
            "batch_size": options.batch_size,
            "seed": options.seed,
            "metric": training.metric.name,
            "metrics": sorted(options.metrics),
            "validate_every": training.validate_every,
            "optimizers": {n: _told(o) for n, o in training.state.optimizers.items()},
            "accumulate": options.accumulate,
            "clip_norm": options.clip_norm,
            "average": options.average,
            "precision": options.precision,
            "schedule": options.rate_plan if isinstance(options.rate_plan, str) else "own",
        },
        "until": training.until.text,
    }


def _told(optimizer: torch.optim.Optimizer) -> Json:
    """Return an optimizer's name and, by group, every setting that has a text."""
    from treadle.loop.step import RATE

    groups = {
        str(number): {k: _plain(value) for k, value in group.items() if k not in ("params", RATE)}
        | {"lr": _plain(group.get(RATE, group.get("lr")))}
        for number, group in enumerate(optimizer.param_groups)
    }
    return {"name": type(optimizer).__name__, "groups": groups}


def _plain(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return [_plain(inner) for inner in value]
    value = value.tolist() if hasattr(value, "tolist") else value
    return value if isinstance(value, (str, int, float, bool, type(None))) else "own"


def finish(folder: RunFolder, training: Training, trained: Trained, held_out: Own | None) -> None:
    """Write the best weights, which are in the module now, and result.json."""
    from safetensors.torch import save_file

    state = trained.state
    (folder.path / "model").mkdir(exist_ok=True)
    tensors = {n: t for n, t in state.module.state_dict().items() if hasattr(t, "detach")}
    weights = {n: t.detach().cpu().clone().contiguous() for n, t in tensors.items()}
    save_file(weights, folder.path / "model" / "weights.safetensors")
    best = next((e for e in state.history if e.step == state.best_step), None)
    metrics = dict(best.metrics) if best else {}
    name = training.metric.name
    folder.write_json(
        "result.json",
        {
            "run": str(folder.path),
            "kind": "module",
            "task": "own",
            "rows": {
                "train": training.source.num_rows,
                "validation": held_out.num_rows if held_out else 0,
                "test": 0,
            },
            "metric": {"name": name, "validation": metrics.get(name)},
            "metrics": {},
            "validation_metrics": metrics,
            **summary(trained),
            "advice": [],
        },
    )
