"""What the long curves are learned from: small tasks of many kinds, real and generated.

A task is (inputs, target, how it is trained); its name decides which half it belongs to. Those of
scikit-learn and the generated ones need nothing; tables and photos are read where FOLDER has them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

FOLDER = Path("data")


@dataclass(frozen=True, kw_only=True)
class Task:
    """Inputs [N, …] (floats, or integer codes for an embedding), and what to predict of them.

    answers: the number of classes, or 0 for numbers
    kind:    mlp, conv, codes (integers looked up in a table), sequence
    """

    name: str
    inputs: Tensor
    target: Tensor
    answers: int
    kind: str
    cardinality: int = 0
    loss: str = field(default="")

    @property
    def half(self) -> str:
        """The half that a task belongs to: constants are learned on one, judged on the other."""
        return half_of(self.name)


def half_of(name: str) -> str:
    return ("development", "judging")[hashlib.sha256(name.encode()).digest()[0] % 2]


def names() -> list[str]:
    return sorted(TASKS)


def make(name: str) -> Task:
    return TASKS[name](name)


def _table(
    name: str, inputs: Any, target: Any, answers: int, kind: str = "mlp", **more: Any
) -> Task:
    values = torch.as_tensor(np.asarray(inputs))
    if kind not in ("codes", "sequence"):
        values = values.float()
        if values.ndim == 2:
            values = torch.nan_to_num((values - values.nanmean(0)) / (_spread(values) + 1e-6))
    truth = torch.as_tensor(np.asarray(target))
    truth = truth.long() if answers else truth.float().reshape(len(truth), -1)
    if not answers:
        truth = (truth - truth.mean(0)) / (truth.std(0) + 1e-6)
    order = torch.randperm(len(values), generator=torch.Generator().manual_seed(7))
    return Task(
        name=name, inputs=values[order], target=truth[order], answers=answers, kind=kind, **more
    )


def _spread(values: Tensor) -> Tensor:
    return torch.nan_to_num((values - values.nanmean(0)).square().nanmean(0).sqrt(), nan=1.0)


def _sklearn(function: str, answers: int, kind: str = "mlp") -> Callable[[str], Task]:
    def build(name: str) -> Task:
        import sklearn.datasets

        found = getattr(sklearn.datasets, function)()
        inputs = found.images[:, None] / 16 if kind == "conv" else found.data
        return _table(name, inputs, found.target, answers, kind)

    return build


def _digits_to_themselves(name: str) -> Task:
    import sklearn.datasets

    pixels = sklearn.datasets.load_digits().data / 16
    return _table(name, pixels, pixels, 0)


def _classes(rows: int, columns: int, told: int, answers: int, flip: float, apart: float) -> Any:
    def build(name: str) -> Task:
        from sklearn.datasets import make_classification

        inputs, target = make_classification(
            rows, columns, n_informative=told, n_redundant=0, n_classes=answers,
            n_clusters_per_class=2, flip_y=flip, class_sep=apart, random_state=len(name),
        )  # fmt: skip
        return _table(name, inputs, target, answers)

    return build


def _made(function: str, answers: int, **options: Any) -> Callable[[str], Task]:
    def build(name: str) -> Task:
        import sklearn.datasets

        inputs, target = getattr(sklearn.datasets, function)(random_state=3, **options)
        return _table(
            name, inputs, np.unique(target, return_inverse=True)[1] if answers else target, answers
        )

    return build


def _waves(rows: int, frequency: float, noise: float) -> Callable[[str], Task]:
    def build(name: str) -> Task:
        chance = np.random.default_rng(5)
        inputs = chance.uniform(-1, 1, (rows, 2))
        values = np.sin(frequency * inputs[:, 0]) * np.cos(frequency * inputs[:, 1])
        return _table(name, inputs, values + noise * chance.normal(size=rows), 0)

    return build


def _spirals(name: str) -> Task:
    chance = np.random.default_rng(2)
    turn, which = chance.uniform(0.5, 3.5, 2_000) * np.pi, chance.integers(0, 3, 2_000)
    angle = turn + which * 2 * np.pi / 3
    inputs = np.stack([turn * np.cos(angle), turn * np.sin(angle)], 1) / 10
    return _table(name, inputs + 0.04 * chance.normal(size=inputs.shape), which, 3)


def _teacher(rows: int, columns: int, answers: int, noise: float) -> Callable[[str], Task]:
    def build(name: str) -> Task:
        chance = torch.Generator().manual_seed(11)
        inputs = torch.randn(rows, columns, generator=chance)
        first = torch.randn(columns, 16, generator=chance) / columns**0.5
        second = torch.randn(16, max(1, answers), generator=chance)
        outputs = torch.tanh(2 * inputs @ first) @ second
        outputs = outputs + noise * torch.randn(outputs.shape, generator=chance)
        return _table(name, inputs, outputs.argmax(1) if answers else outputs, answers)

    return build


def _parity(bits: int) -> Callable[[str], Task]:
    def build(name: str) -> Task:
        chance = np.random.default_rng(4)
        inputs = chance.integers(0, 2, (3_000, 10))
        return _table(name, inputs, inputs[:, :bits].sum(1) % 2, 2)

    return build


def _sums(modulus: int) -> Callable[[str], Task]:
    def build(name: str) -> Task:
        left, right = np.divmod(np.arange(modulus * modulus), modulus)
        codes = np.stack([left, right], 1)
        return _table(name, codes, (left + right) % modulus, modulus, "codes", cardinality=modulus)

    return build


def _text(module: str, length: int) -> Callable[[str], Task]:
    """The next letter of a file of Python's own library."""

    def build(name: str) -> Task:
        import importlib

        source = Path(str(importlib.import_module(module).__file__)).read_text()
        letters = sorted(set(source))
        codes = np.array([letters.index(letter) for letter in source[:40_000]])
        windows = np.lib.stride_tricks.sliding_window_view(codes, length + 1)[::4]
        return _table(
            name, windows[:, :-1].copy(), windows[:, -1].copy(), len(letters), "sequence",
            cardinality=len(letters),
        )  # fmt: skip

    return build


def _memory(length: int) -> Callable[[str], Task]:
    """Recall the first code of a sequence that a marker asks for."""

    def build(name: str) -> Task:
        codes = np.random.default_rng(9).integers(0, 8, (3_000, length))
        return _table(name, codes, codes[:, 1], 8, "sequence", cardinality=8)

    return build


def _ratings_made(name: str) -> Task:
    chance = np.random.default_rng(8)
    users, items = chance.normal(size=(150, 4)), chance.normal(size=(150, 4))
    codes = np.stack([chance.integers(0, 150, 6_000), chance.integers(0, 150, 6_000)], 1)
    values = (users[codes[:, 0]] * items[codes[:, 1]]).sum(1) + chance.normal(size=6_000)
    codes[:, 1] += 150
    return _table(name, codes, values, 0, "codes", cardinality=300)


def _shapes(name: str) -> Task:
    """Small pictures: a bar that lies, a bar that stands, a square, in noise."""
    chance = np.random.default_rng(6)
    which = chance.integers(0, 3, 1_500)
    pictures = chance.normal(0, 0.8, (1_500, 1, 12, 12))
    for picture, shape in zip(pictures[:, 0], which, strict=True):
        x, y = chance.integers(1, 6, 2)
        wide, high = ((5, 2), (2, 5), (3, 3))[shape]
        picture[y : y + high, x : x + wide] += 1.0
    return _table(name, pictures, which, 3, "conv")


def _csv(file: str, target: str, rows: int, start: int) -> Callable[[str], Task]:
    def build(name: str) -> Task:
        import polars as pl

        path = FOLDER / file
        frame = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path)
        frame = frame.sample(fraction=1.0, shuffle=True, seed=1)[start : start + rows]
        truth = frame[target]
        codes = truth if truth.dtype.is_numeric() else truth.rank("dense").cast(pl.Int64) - 1
        rest = frame.drop(target)
        numbers = [
            (c if c.dtype.is_numeric() else c.cast(pl.String).rank("dense")).cast(pl.Float64)
            for c in rest.get_columns()
        ]
        inputs = np.stack([c.to_numpy() for c in numbers], 1)
        answers = int(codes.n_unique()) if int(codes.n_unique()) <= 10 else 0
        return _table(name, inputs, codes.cast(pl.Float64).to_numpy(), answers)

    return build


def _ratings(name: str) -> Task:
    import polars as pl

    frame = pl.read_csv(FOLDER / "ml-100k/events.csv").sample(20_000, shuffle=True, seed=2)
    user, item = (frame[c].rank("dense").cast(pl.Int64).to_numpy() - 1 for c in ("user", "item"))
    codes = np.stack([user, item + user.max() + 1], 1)
    return _table(name, codes, frame["rating"], 0, "codes", cardinality=int(codes.max()) + 1)


def _photos(folders: tuple[str, ...], side: int) -> Callable[[str], Task]:
    def build(name: str) -> Task:
        from PIL import Image

        pictures, which = [], []
        for number, folder in enumerate(folders):
            for path in sorted((FOLDER / folder).glob("*"))[:500]:
                small = Image.open(path).convert("L").resize((side, side))
                pictures.append(np.asarray(small, dtype=np.float32)[None] / 128 - 1)
                which.append(number)
        return _table(name, np.stack(pictures), which, len(folders), "conv")

    return build


TASKS: dict[str, Callable[[str], Task]] = {
    "digits": _sklearn("load_digits", 10),
    "digits_pictures": _sklearn("load_digits", 10, "conv"),
    "digits_again": _digits_to_themselves,
    "tumours": _sklearn("load_breast_cancer", 2),
    "wines": _sklearn("load_wine", 3),
    "diabetes": _sklearn("load_diabetes", 0),
    "classes_easy": _classes(1_500, 20, 8, 4, 0.01, 1.5),
    "classes_hard": _classes(2_500, 30, 12, 5, 0.05, 0.8),
    "classes_noisy": _classes(1_200, 20, 6, 2, 0.3, 1.0),
    "classes_wide": _classes(500, 200, 10, 2, 0.02, 1.0),
    "classes_many": _classes(4_000, 24, 16, 12, 0.02, 1.0),
    "classes_few_rows": _classes(200, 10, 5, 2, 0.05, 1.0),
    "friedman_one": _made("make_friedman1", 0, n_samples=1_500, noise=1.0),
    "friedman_two": _made("make_friedman2", 0, n_samples=1_000, noise=50.0),
    "friedman_three": _made("make_friedman3", 0, n_samples=600, noise=0.1),
    "linear": _made("make_regression", 0, n_samples=800, n_features=40, noise=20.0),
    "sparse": _made("make_sparse_uncorrelated", 0, n_samples=900, n_features=12),
    "moons": _made("make_moons", 2, n_samples=1_000, noise=0.25),
    "circles": _made("make_circles", 2, n_samples=1_000, noise=0.15, factor=0.6),
    "rings": _made("make_gaussian_quantiles", 4, n_samples=2_000, n_features=6, n_classes=4),
    "hastie": _made("make_hastie_10_2", 2, n_samples=2_500),
    "waves_slow": _waves(1_200, 4.0, 0.05),
    "waves_fast": _waves(3_000, 12.0, 0.02),
    "waves_noisy": _waves(800, 6.0, 0.5),
    "spirals": _spirals,
    "teacher_classes": _teacher(3_000, 20, 5, 0.3),
    "teacher_number": _teacher(3_000, 20, 0, 0.2),
    "teacher_few": _teacher(300, 15, 0, 0.1),
    "teacher_clean": _teacher(5_000, 12, 0, 0.0),
    "parity_three": _parity(3),
    "parity_four": _parity(4),
    "sums_23": _sums(23),
    "sums_41": _sums(41),
    "letters_argparse": _text("argparse", 12),
    "letters_decimal": _text("_pydecimal", 8),
    "recall_six": _memory(6),
    "recall_twelve": _memory(12),
    "ratings_made": _ratings_made,
    "shapes": _shapes,
    "flights_late": _csv("flights/flights.csv", "late", 4_000, 0),
    "flights_small": _csv("flights/flights.csv", "late", 600, 50_000),
    "flights_distance": _csv("flights/flights.csv", "temp", 3_000, 90_000),
    "adult": _csv("adult/adult.csv", "income", 4_000, 0),
    "adult_small": _csv("adult/adult.csv", "income", 700, 20_000),
    "adult_age": _csv("adult/adult.csv", "age", 3_000, 30_000),
    "payments": _csv("ieee-cis/ieee-cis.parquet", "isFraud", 8_000, 0),
    "payments_amount": _csv("ieee-cis/ieee-cis.parquet", "TransactionAmt", 3_000, 100_000),
    "baskets": _csv("journey/transactions.parquet", "sales_value", 4_000, 0),
    "ratings": _ratings,
    "tiles": _photos(tuple(f"tile/images/{n}" for n in ("break", "blowhole", "crack", "free")), 24),
    "cells": _photos(("elpv/good", "elpv/defect"), 24),
}
