"""Train the zoo: runs whose trouble is known, for whoever says what is wrong with a run.

    python -m benchmarks.zoo.run --out FOLDER [--data FOLDER] [--only 'module/*,*spike*'] [--jobs 2]
    python -m benchmarks.zoo.run --out LONG --only '*/healthy*' --steps-factor 5

Every run lies in FOLDER/runs/NAME, and FOLDER/runs.jsonl has a line for each. What was trained
already by the same recipe and the same Treadle is not trained again. Real data lies below --data
(adult/adult.csv, flights/flights.csv, ieee-cis/ieee-cis.parquet, ml-100k/events.csv, elpv/CLASS,
tile/images/CLASS); recipes whose data is not there are skipped, and the data sets named.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from pathlib import Path

from benchmarks.zoo.catalogue import all_recipes, chosen, without_data
from benchmarks.zoo.kept import RUNS, is_kept, source_hash
from benchmarks.zoo.recipe import Recipe
from benchmarks.zoo.worker import Task, trained_in_turn

FEWEST = 240


def main() -> None:
    options = _options()
    started = time.monotonic()
    recipes = _to_train(options)
    options.out.mkdir(parents=True, exist_ok=True)
    source = "" if options.keep else source_hash()
    tasks = [_task(recipe, options, source) for recipe in recipes]
    waiting = [task for task in tasks if not is_kept(options.out, task)]
    print(f"{len(tasks)} recipes, {len(tasks) - len(waiting)} of them trained already.", flush=True)
    for number, line in enumerate(trained_in_turn(waiting, options.jobs), 1):
        with (options.out / RUNS).open("a") as file:
            file.write(json.dumps(line) + "\n")
        ended = line["problem"] or line["stopped"]
        print(f"{number}/{len(waiting)} {line['name']}  {line['seconds']} s  {ended}", flush=True)
    print(f"{(time.monotonic() - started) / 60:.1f} minutes")


def _to_train(options: argparse.Namespace) -> list[Recipe]:
    """Return the recipes that were asked for and whose data is there; say which are not."""
    every = all_recipes()
    if options.list:
        _print_table(every)
        raise SystemExit
    missing = without_data(every, options.data)
    skipped = {recipe.name for recipes in missing.values() for recipe in recipes}
    for name, recipes in sorted(missing.items()):
        print(f"skipped: {len(recipes)} recipes need the data set {name}, which is not in --data.")
    left = [recipe for recipe in every if recipe.name not in skipped]
    if len(left) < FEWEST:
        print(f"only {len(left)} recipes are left, fewer than the {FEWEST} that the zoo promises.")
    if options.steps_factor > 1:
        left = [recipe for recipe in left if recipe.cause == "healthy"]
    return chosen(left, options.only)


def _task(recipe: Recipe, options: argparse.Namespace, source: str) -> Task:
    folder = options.out / RUNS.split(".")[0] / recipe.name
    return Task(
        recipe=recipe,
        folder=folder,
        data=options.data,
        cache=options.cache or options.out / "cache",
        steps_factor=options.steps_factor,
        source=source,
    )


def _print_table(recipes: list[Recipe]) -> None:
    """Print how many recipes there are, by cause and kind."""
    counts = Counter((recipe.cause, recipe.kind) for recipe in recipes)
    kinds = sorted({kind for _, kind in counts})
    print(f"{'':18}" + "".join(f"{kind:>9}" for kind in kinds) + f"{'all':>9}")
    for cause in sorted({cause for cause, _ in counts}):
        row = [counts[cause, kind] for kind in kinds]
        print(f"{cause:18}" + "".join(f"{count:9}" for count in [*row, sum(row)]))
    print(f"{'all':18}{len(recipes):{9 * len(kinds) + 9}}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", type=Path, help="a folder of data sets, such as DATA/adult/…")
    parser.add_argument("--cache", type=Path, help="for what is computed once; by default in --out")
    parser.add_argument("--only", default="*", help="names, with * and commas")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--steps-factor", type=int, default=1, help="healthy ones, so much longer")
    parser.add_argument("--keep", action="store_true", help="keep runs of an earlier Treadle")
    parser.add_argument("--list", action="store_true", help="only count the recipes")
    return parser.parse_args()


if __name__ == "__main__":
    main()
