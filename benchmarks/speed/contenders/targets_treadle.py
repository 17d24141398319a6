"""Time to a target with `treadle.fit`: from the files to the tested model and its report."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import treadle
from benchmarks.speed.data import Spec
from benchmarks.speed.gate import Gate


def fit(spec: Spec, gate: Gate) -> None:
    """Fit until validation reaches `level` of `metric`. spec: `fit`, what else fit is told."""
    found: dict[str, Any] = {}

    def train(steps: int) -> None:
        for _ in range(steps):
            with tempfile.TemporaryDirectory() as scratch:
                found.update(_one(spec, Path(scratch)))

    gate.serve(train, lambda: found)


def _one(spec: Spec, scratch: Path) -> dict[str, Any]:
    parts = {part: spec["files"][part] for part in ("validation", "test") if part in spec["files"]}
    cache = {"cache": str(scratch / "cache")} if spec.get("has_cache") else {}
    run = treadle.fit(
        spec["files"]["train"],
        until=f"{spec['metric']} >= {spec['level']} or {spec['minutes']} minutes",
        metric=spec["metric"],
        threads=spec["threads"],
        seed=spec["seed"],
        out=str(scratch / "run"),
        **parts,
        **cache,
        **spec["fit"],
    )
    result = run.result
    curve = [
        (row["clock"]["seconds"], row["values"].get(spec["metric"], 0.0))
        for file in (scratch / "run").rglob("metrics.jsonl")
        for row in map(json.loads, file.read_text().splitlines())
    ]
    seconds = min((clock for clock, value in curve if value >= spec["level"]), default=None)
    return {
        "reached": max((value for _, value in curve), default=0.0),
        "test": result["metric"]["test"],
        "training_seconds_to_target": seconds,
        "stopped": result["stopped"]["reason"],
    }


def frozen(spec: Spec, gate: Gate) -> None:
    """Answer the plain way: the frozen network's last layer under a logistic regression."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    from treadle.data.images import find_images
    from treadle.data.photo_features import read_features
    from treadle.data.split import SplitRule, split
    from treadle.models.vision import PhotoShape, load_backbone

    found: dict[str, Any] = {}

    def train(steps: int) -> None:
        for _ in range(steps):
            index = find_images(Path(spec["files"]["train"]))
            parts = split(index.frame(), SplitRule(seed=spec["seed"], content=("hash",)), "label")
            backbone = load_backbone(shape=PhotoShape(side=224, keeps_aspect=False))
            made = read_features(index.paths, backbone, threads=spec["threads"])
            late = made.values[:, backbone.num_early :]
            features = late[:, : late.shape[1] // 2].astype(np.float32)
            model = LogisticRegression(max_iter=3000)
            model.fit(features[parts.train], index.targets[parts.train])
            right = model.predict(features[parts.validation]) == index.targets[parts.validation]
            found["reached"] = float(right.mean())

    gate.serve(train, lambda: found)
