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

from treadle.data.batches import TensorSource
from treadle.data.images import ImageIndex, find_images
from treadle.data.photo_features import read_features
from treadle.data.split import Split, SplitRule, split
from treadle.loop.loop import turn
from treadle.loop.schedules import warmup_cosine
from treadle.loop.state import TrainState
from treadle.loop.step import EagerStep
from treadle.loop.until import epochs
from treadle.models.vision import PhotoShape, load_backbone
from treadle.models.vision_head import HeadTraining, VisionHead, build_head


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
    index = find_images(folder)
    with tempfile.TemporaryDirectory() as cache:
        made = read_features(
            index.paths, load_backbone(), cache_folder=Path(cache), hashes=index.hashes,
            threads=threads,
        )  # fmt: skip
    parts = split_of(index, seed)
    features, target = torch.from_numpy(made.values), torch.from_numpy(index.targets)
    head = build_head(features.shape[1], len(index.classes), seed=seed)
    head.fit_scaling(features[parts.train])
    tensors = [
        {"features": features[rows], "target": target[rows]}
        for rows in map(torch.from_numpy, (parts.train, parts.validation, parts.test))
    ]
    train_head(head, tensors[0], tensors[1], seed)
    predicted = _probabilities(head, tensors[2]).argmax(dim=1).numpy()
    return _scored(index.targets[parts.test], predicted, time.perf_counter() - start)


def train_head(
    head: VisionHead, train: dict[str, torch.Tensor], validation: dict[str, torch.Tensor], seed: int
) -> None:
    """Train over the cached features; leave the weights of the best validation log loss."""
    how = HeadTraining()
    torch.manual_seed(seed)
    optimizer = torch.optim.AdamW(
        head.parameters(), lr=how.learning_rate, weight_decay=how.weight_decay
    )
    source = TensorSource(train, batch_size=how.batch_size, seed=seed)
    state = TrainState(model=head, optimizers={"main": optimizer})
    state.horizon = how.num_epochs * source.steps_per_epoch
    step = EagerStep(lambda batch: head.loss(head(batch), batch), schedule=warmup_cosine())
    step.prepare(state)

    def validate(state: TrainState) -> None:
        if state.step % source.steps_per_epoch == 0:
            rows = torch.arange(len(validation["target"]))
            loss = -_probabilities(head, validation)[rows, validation["target"]].log().mean()
            if state.best_value is None or float(loss) < state.best_value:
                state.keep_best(float(loss))

    turn(state, source, step, [validate], epochs(how.num_epochs))
    state.give_back_best()


@torch.no_grad()
def _probabilities(head: VisionHead, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    head.eval()
    probabilities = head.predict(head(batch))
    head.train()
    return probabilities


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
