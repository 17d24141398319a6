"""The same question for photos: heads on what a pretrained network saw, of tile and elpv.

    python benchmarks/collect/photos.py --data DATA --out photos --seeds 3
    python benchmarks/collect/judge.py photos

A file for each set, number of photos n and seed, as curves.py writes them. Nothing of the method
was chosen on photos.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from curves import held_rows, parts

from treadle.api.collecting.ground import Way
from treadle.api.collecting.images import features_for, fit_on
from treadle.api.fewer_rows import in_pieces
from treadle.api.image_data import prepare_images
from treadle.api.options import FitOptions
from treadle.goal import DEFAULT, metric_named

SETS = {"tile": ("tile/images", (256, 448)), "elpv": ("elpv", (256, 512, 900))}
LENGTH = 0.34


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=1)
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    for seed in range(asked.seeds):
        for name, (folder, sizes) in SETS.items():
            write_cases(asked.data / folder, name, sizes, seed, asked.out)


def write_cases(folder: Path, name: str, sizes: tuple[int, ...], seed: int, out: Path) -> None:
    """Fit the heads of one set and seed, and keep their answers for validation photos."""
    given = {"data": str(folder), "kind": "images", "seed": seed, "threads": 1, "engine": "eager"}
    options = FitOptions.of(given)
    values, data = features_for(prepare_images(options), options, {})
    metric = metric_named(DEFAULT[data.target.task], data.target.task)
    way = Way(models=("head",), length=LENGTH, seconds=1.0, same=False, words="")
    pool = np.concatenate(in_pieces(data.truth("train"), None, seed, is_number=False))
    for rows in sizes:
        order = np.random.default_rng(0).permutation(len(data.split.validation))[: held_rows(rows)]
        found: dict[str, Any] = {}
        for start, end in [*parts(rows), (0, 2 * rows)]:
            some = np.sort(pool[start:end])
            answers = fit_on(data, values, options, metric, some, way, seed)
            found[f"{start}-{end}"] = answers[order].astype(np.float32)
        facts: dict[str, Any] = {"task": np.array(data.target.task), "sizes": np.array([rows])}
        truth = data.truth("validation")[order]
        np.savez_compressed(out / f"{name} {rows}-{seed}.npz", truth=truth, **found, **facts)
        print(f"{name} {rows} {seed}", flush=True)


if __name__ == "__main__":
    main()
