"""Compare what Treadle said of the zoo's runs with what was planted in them.

    python -m benchmarks.zoo.judge FOLDER [--wrong]

The half that judges is drawn by the commit that is judged, so nobody can tune for it; the other
half is there to develop with. Right is the planted cause as the most confident verdict, or one
that the recipe names as equally right; a healthy run is right where nothing was said.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.zoo.catalogue import all_recipes
from benchmarks.zoo.kept import ROOT, kept_lines
from benchmarks.zoo.recipe import CAUSES, KINDS, Recipe
from treadle.folder import RunFolder

RIGHT_ASKED = 0.95
FALSE_ALARMS_ALLOWED = 0.03


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One run beside what was planted in it. said: verdicts, the most confident one first."""

    recipe: Recipe
    said: tuple[str, ...]
    judges: bool

    @property
    def is_right(self) -> bool:
        if self.recipe.cause == "healthy":
            return not self.said
        return bool(self.said) and self.said[0] in {self.recipe.cause, *self.recipe.accepts}


def main() -> None:
    options = _options()
    judged = list(judge(options.folder))
    if not judged:
        raise SystemExit(f"there is no run of a known recipe in {options.folder}.")
    for judges, title in ((True, "the half that judges"), (False, "the half to develop with")):
        _print_half(title, [one for one in judged if one.judges == judges])
    if options.wrong:
        _print_wrong([one for one in judged if not one.is_right])


def judge(folder: Path) -> Iterator[Judged]:
    """Yield every run of `folder` that a recipe of today made, compared."""
    commit = _commit()
    for recipe, run in runs_of(folder):
        yield Judged(recipe=recipe, said=said_of(run), judges=is_drawn(commit, recipe))


def runs_of(folder: Path) -> Iterator[tuple[Recipe, RunFolder]]:
    """Yield (recipe, its run) for what was trained by the recipes as they are now."""
    lines = kept_lines(folder)
    for recipe in all_recipes():
        line = lines.get(recipe.name)
        if line is not None and line["key"] == recipe.key:
            yield recipe, RunFolder(folder / "runs" / recipe.name)


def said_of(run: RunFolder) -> tuple[str, ...]:
    """Return the names of a run's verdicts, the most confident first.

    A training that was given up has no result; it says in its journal what it saw.
    """
    result: dict[str, Any] | None = run.result
    if result is not None:
        verdicts = result.get("verdicts", [])
    else:
        lines = [line for line in run.events() if line.get("topic") == "verdict"]
        verdicts = list({line["saw"]["name"]: line["saw"] for line in lines}.values())
    ordered = sorted(verdicts, key=lambda verdict: -verdict["confidence"])
    return tuple(verdict["name"] for verdict in ordered)


def is_drawn(commit: str, recipe: Recipe) -> bool:
    """Tell whether a recipe belongs to the half that judges this commit."""
    return hashlib.sha256((commit + recipe.name).encode()).digest()[-1] % 2 == 0


def _commit() -> str:
    told = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return told.stdout.strip()


def _print_half(title: str, judged: Sequence[Judged]) -> None:
    """Print right, wrong and silent by cause and kind, and whether the bars are met."""
    print(f"\n{title}: {len(judged)} runs")
    print(f"{'cause':18}{'kind':9}{'runs':>6}{'right':>7}{'wrong':>7}{'silent':>8}")
    for cause in CAUSES:
        for kind in KINDS:
            some = [one for one in judged if (one.recipe.cause, one.recipe.kind) == (cause, kind)]
            if some:
                _print_line(cause, kind, some)
    healthy = [one for one in judged if one.recipe.cause == "healthy"]
    planted = [one for one in judged if one.recipe.cause != "healthy"]
    right, alarms = _share_right(planted), 1 - _share_right(healthy)
    met = right >= RIGHT_ASKED and alarms <= FALSE_ALARMS_ALLOWED
    print(
        f"planted causes named rightly: {right:.1%} of {len(planted)} (asked: {RIGHT_ASKED:.0%}); "
        f"false alarms: {alarms:.1%} of {len(healthy)} healthy (allowed: "
        f"{FALSE_ALARMS_ALLOWED:.0%}): {'met' if met else 'not met'}"
    )


def _print_line(cause: str, kind: str, some: Sequence[Judged]) -> None:
    right = sum(one.is_right for one in some)
    wrong = sum(bool(one.said) and not one.is_right for one in some)
    print(f"{cause:18}{kind:9}{len(some):6}{right:7}{wrong:7}{len(some) - right - wrong:8}")


def _share_right(judged: Sequence[Judged]) -> float:
    return sum(one.is_right for one in judged) / max(1, len(judged))


def _print_wrong(judged: Sequence[Judged]) -> None:
    print("\nnot right:")
    for one in judged:
        half = "judges" if one.judges else "develop"
        print(f"  {half:8}{one.recipe.name:60} said: {', '.join(one.said) or 'nothing'}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0])
    parser.add_argument("folder", type=Path, help="what benchmarks.zoo.run wrote")
    parser.add_argument("--wrong", action="store_true", help="name the runs that are not right")
    return parser.parse_args()


if __name__ == "__main__":
    main()
