"""Planted label errors: how many of as many suspects as were planted are among the planted.

    python -m benchmarks.checks.label_errors --data FOLDER [--more FOLDER] [--tile FOLDER]

Five answers of a hundred are changed. The ruler is what the same learner reaches when it learned
from the clean answers, out of fold: nobody can rank better with these columns. The bar is .95 of
that precision.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.checks.tables import Table, tables

SHARE = 0.05
USUAL = ("adult", "flights", "modeldata-mlc_churn", "modeldata-cells", "breast_cancer", "digits")


def examples_of(table: Table) -> Any:
    """Return a table's rows as the quick learner takes them."""
    from treadle.api.check_deep import examples_of as examples
    from treadle.api.options import FitOptions
    from treadle.api.table_data import prepare, read_table

    options = FitOptions.of({"target": table.target, **table.options})
    return examples(prepare(options, read_table(options, table.frame)), options)[0]


def planted(truth: Any, classes: int, random: np.random.Generator) -> tuple[Any, Any]:
    """Return (answers with five of a hundred changed, which were)."""
    wrong = np.zeros(len(truth), bool)
    wrong[random.choice(len(truth), round(SHARE * len(truth)), replace=False)] = True
    changed = truth.copy()
    if classes:
        changed[wrong] = (truth[wrong] + random.integers(1, classes, wrong.sum())) % classes
    else:
        far = random.choice([-1.0, 1.0], wrong.sum()) * random.uniform(2, 5, wrong.sum())
        changed[wrong] = truth[wrong] + far * truth.std()
    return changed, wrong


def judge(name: str, examples: Any, seed: int, predict: Any = None) -> dict[str, Any]:
    """Plant errors and compare our ranking with that of a learner of clean answers."""
    from treadle.study import label_errors

    changed, wrong = planted(examples.truth, examples.classes, np.random.default_rng(seed))
    noisy = replace(examples, truth=changed)
    count = int(wrong.sum())
    began = time.monotonic()
    ask = None if predict is None else predict(noisy)
    found = label_errors.find_label_errors(noisy, seed=seed, threads=1, predict=ask)
    seconds = time.monotonic() - began
    ours = _precision(label_errors.doubts(found.predicted, changed), wrong, count)
    once = _precision(label_errors.doubts(found.before, changed), wrong, count)
    ask = (
        predict(examples)
        if predict is not None
        else label_errors._quick_learner(examples, seed, threads=1)
    )
    best = _precision(label_errors.doubts(ask(np.ones(len(wrong), bool)), changed), wrong, count)
    listed = float(wrong[found.rows].mean()) if len(found.rows) else 0.0
    return {
        "data": name,
        "rows": len(wrong),
        "planted": count,
        "precision": round(ours, 4),
        "one look": round(once, 4),
        "clean": round(best, 4),
        "ratio": round(ours / best, 4),
        "listed": len(found.rows),
        "right among listed": round(listed, 3),
        "seconds": round(seconds, 1),
    }


def _precision(doubt: Any, wrong: Any, count: int) -> float:
    return float(wrong[np.argsort(-doubt, kind="stable")[:count]].mean())


def main() -> None:
    """Run all and print a line for each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path)
    parser.add_argument("--more", type=Path)
    parser.add_argument("--only", nargs="*", default=USUAL)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--tile", type=Path)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    rows = []
    for table in tables(asked.data, asked.more):
        if table.name not in asked.only:
            continue
        examples = examples_of(table)
        for seed in range(asked.seeds):
            rows.append(judge(table.name, examples, seed))
            print(rows[-1], flush=True)
    if asked.tile:
        rows += _photos(asked.tile, asked.seeds)
    if asked.out:
        asked.out.write_text(json.dumps(rows, indent=1))


def _photos(folder: Path, seeds: int) -> list[dict[str, Any]]:
    from treadle.api.check_images import photo_examples
    from treadle.api.image_data import prepare_images
    from treadle.api.options import FitOptions
    from treadle.study.photo_learner import photo_learner

    options = FitOptions.of({"data": [str(folder)], "kind": "images"})
    examples = photo_examples(prepare_images(options), options)[0]
    rows = []
    for seed in range(seeds):
        rows.append(judge("tile", examples, seed, lambda e, s=seed: photo_learner(e, s)))
        print(rows[-1], flush=True)
    return rows


if __name__ == "__main__":
    main()
