"""Does training on photos beat the plain way? Five seeded splits of one folder of photos.

    python benchmarks/quality/images.py FOLDER                       about a minute a split
    python benchmarks/quality/images.py FOLDER --splits 2

"plain" is the last layer of the same frozen network, averaged over the photo made 224 × 224, under
scikit-learn's logistic regression, learned on the train part as ours is; ours takes the best epoch
on validation. "plain+" learns on train and validation together, which it can, having nothing to
choose. All are scored on the same test part, once. Seconds are those of the whole fit: finding,
unpacking and computing the features of every photo anew (nothing kept from earlier splits), then
training.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score

import treadle
from treadle.data.images import ImageIndex, find_images
from treadle.data.photo_features import read_features
from treadle.data.split import Split, SplitRule, split
from treadle.models.vision import PhotoShape, load_backbone


class Scored(NamedTuple):
    accuracy: float
    balanced: float
    seconds: float


def main() -> None:
    options = _options()
    torch.set_num_threads(options.threads)
    index = find_images(options.folder)
    print(f"{len(index):,} photos of {len(index.classes)} classes")
    plain = _last_layer(index, options.threads)
    results = []
    for seed in range(options.splits):
        parts = split_of(index, seed)
        found = {
            "plain": fit_plain(index, plain, parts.train, parts.test),
            "plain+": fit_plain(
                index, plain, np.concatenate([parts.train, parts.validation]), parts.test
            ),
            "treadle": fit_treadle(options.folder, seed, options.threads),
        }
        results.append(found)
        for name, scored in found.items():
            print(
                f"split {seed}  {name:8} accuracy {scored.accuracy:.4f}  balanced "
                f"{scored.balanced:.4f}  {scored.seconds:4.0f} s",
                flush=True,
            )
    _print_differences(results)


def split_of(index: ImageIndex, seed: int) -> Split:
    """Return the split 70/15/15 of this seed, which both ways are given."""
    return split(index.frame(), SplitRule(seed=seed, content=("hash",)), "label")


def fit_plain(
    index: ImageIndex,
    features: NDArray[np.float32],
    known: NDArray[np.int64],
    test: NDArray[np.int64],
) -> Scored:
    """Score the logistic regression, with scikit-learn's own settings but enough iterations."""
    start = time.perf_counter()
    model = LogisticRegression(max_iter=3000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(features[known], index.targets[known])
    predicted = model.predict(features[test])
    return _scored(index.targets[test], predicted, time.perf_counter() - start)


def fit_treadle(folder: Path, seed: int, threads: int) -> Scored:
    """Score a whole fit from the folder on, with a cache that begins empty."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        run = treadle.fit(
            folder, seed=seed, threads=threads, cache=f"{scratch}/cache", out=f"{scratch}/run"
        )
        metrics = run.result["metrics"]
    seconds = time.perf_counter() - start
    return Scored(metrics["accuracy"]["test"], metrics["balanced_accuracy"]["test"], seconds)


def _last_layer(index: ImageIndex, threads: int) -> NDArray[np.float32]:
    """Return the last layer's averages of photos made 224 × 224, float32 [N, 1280]."""
    backbone = load_backbone(shape=PhotoShape(side=224, keeps_aspect=False))
    made = read_features(index.paths, backbone, threads=threads)
    late = made.values[:, backbone.num_early :]
    return late[:, : late.shape[1] // 2].astype(np.float32)


def _scored(target: NDArray[np.int64], predicted: NDArray[np.int64], seconds: float) -> Scored:
    accuracy = float((target == predicted).mean())
    return Scored(accuracy, float(balanced_accuracy_score(target, predicted)), seconds)


def _print_differences(results: list[dict[str, Scored]]) -> None:
    for measure in ("accuracy", "balanced"):
        figures = {
            name: np.array([getattr(found[name], measure) for found in results])
            for name in results[0]
        }
        for name in ("plain", "plain+"):
            differences = figures["treadle"] - figures[name]
            print(
                f"{measure:9} {name:7} {figures[name].mean():.4f}  treadle "
                f"{figures['treadle'].mean():.4f}  paired difference {differences.mean():+.4f} "
                f"(from {differences.min():+.4f} to {differences.max():+.4f})"
            )
    slowest = max(found["treadle"].seconds for found in results)
    print(f"slowest whole fit: {slowest:.0f} s")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
