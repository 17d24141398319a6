"""All recipes of the zoo, by name, and which of them can be trained with the data that is there."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path

from benchmarks.zoo.event_recipes import event_recipes
from benchmarks.zoo.own_recipes import own_recipes
from benchmarks.zoo.photo_recipes import photo_recipes
from benchmarks.zoo.recipe import Recipe
from benchmarks.zoo.table_recipes import table_recipes


def all_recipes() -> list[Recipe]:
    """Return every recipe; their names differ."""
    recipes = [*own_recipes(), *table_recipes(), *photo_recipes(), *event_recipes()]
    names = [recipe.name for recipe in recipes]
    twice = {name for name in names if names.count(name) > 1}
    assert not twice, f"recipes of one name: {', '.join(sorted(twice))}"
    return recipes


def chosen(recipes: Iterable[Recipe], patterns: str) -> list[Recipe]:
    """Return the recipes whose name fits one of the patterns, which commas part."""
    wanted = patterns.split(",")
    return [one for one in recipes if any(fnmatch(one.name, pattern) for pattern in wanted)]


def without_data(recipes: Iterable[Recipe], data: Path | None) -> dict[str, list[Recipe]]:
    """Return, by the folder of real data that is missing, the recipes that need it."""
    missing: dict[str, list[Recipe]] = {}
    for recipe in recipes:
        if recipe.needs and (data is None or not (data / recipe.needs).is_dir()):
            missing.setdefault(recipe.needs, []).append(recipe)
    return missing
