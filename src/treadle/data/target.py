"""What is to be predicted: the task, the classes and their order, the rows that have an answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from treadle.contracts import Frozen, Task
from treadle.data.columns import dtype_of, text_of
from treadle.errors import DataError, OptionError, did_you_mean
from treadle.goal import METRICS

Label = str | int | float | bool

_FEWEST_ROWS_A_CLASS = 3
_LARGEST = 3e38
_NAN_WORDS = ("NaN", "nan")
_FEW_CODES, _MOST_CODES = 10, 20
_SHOWN = 10
_YES = ("1", "true", "yes", "y", "ja", "oui", "si", "sí")


class TargetEncoder(Frozen):
    """How answers become numbers and back.

    classes: the classes as text; for two classes (negative, positive)
    labels:  what the classes are in the user's data
    center, scale: mean and standard deviation of a number's train answers, for networks
    """

    column: str
    task: Literal["two_classes", "classes", "number"]
    classes: tuple[str, ...] = ()
    labels: Literal["text", "integer", "float", "yes_no"] = "text"
    center: float = 0.0
    scale: float = 1.0

    @property
    def num_outputs(self) -> int:
        """O of Layout: 1 for two classes and numbers, else the number of classes."""
        return len(self.classes) if self.task == "classes" else 1

    def encode(self, answers: pl.Series) -> NDArray[np.generic]:
        """Return float32 [N] of 0/1 (1 = positive), int64 [N] of class codes, or float32 [N].

        Raises: DataError for answers that are missing or of no known class.
        """
        if self.task == "number":
            values = answers.cast(pl.Float64, strict=False)
            self._refuse(answers, ~values.is_finite().fill_null(False))
            return values.cast(pl.Float32).to_numpy()
        text = text_of(answers)
        codes = text.replace_strict(
            list(self.classes), range(len(self.classes)), default=None, return_dtype=pl.Int64
        )
        self._refuse(answers, codes.is_null())
        if self.task == "two_classes":
            return codes.cast(pl.Float32).to_numpy()
        return codes.to_numpy()

    def decode(self, codes: NDArray[np.int64]) -> pl.Series:
        """Return the labels of class codes int [N], as the user's data writes them."""
        typed: list[Label] = [_typed_label(text, self.labels) for text in self.classes]
        return pl.Series(self.column, typed)[codes.astype(np.int64)]

    def _refuse(self, answers: pl.Series, unknown: pl.Series) -> None:
        if not unknown.any():
            return
        odd = text_of(answers.filter(unknown)).fill_null("nothing").unique(maintain_order=True)
        raise DataError(
            f"'{self.column}' holds {_told(odd.to_list())}, which training did not know "
            f"({int(unknown.sum()):,} rows).",
            f"known: {_told(list(self.classes)) if self.classes else 'finite numbers'}",
        )


@dataclass(frozen=True, kw_only=True)
class TargetPlan:
    """What a target column asks for.

    keep:  int64 [N], the rows that have an answer
    notes: what was decided, in plain sentences, the positive class first
    """

    task: Task
    encoder: TargetEncoder
    keep: NDArray[np.int64]
    notes: list[str] = field(default_factory=list)


def guess_task(target: pl.Series, metric: str | None = None) -> tuple[Task, str]:
    """Return the task that a target's values call for, and why in one sentence.

    Raises: DataError: no answers, one class, dates, texts that are no classes. OptionError: a
    metric that these answers do not allow.
    """
    dtype, name = dtype_of(target.dtype), target.name
    if dtype in ("date", "other") and target.dtype != pl.Null:
        raise DataError(f"'{name}' holds dates or lists, which cannot be predicted.", _CHOOSE)
    filled = _answers(target)
    distinct = filled.n_unique()
    if distinct < 2:
        told = f"only {filled[0]!r}" if filled.len() else "nothing"
        raise DataError(f"'{name}' holds {told}: there is nothing to tell apart.", _CHOOSE)
    plain = (metric or "").removeprefix("neg_")
    allowed = METRICS[plain].tasks if plain in METRICS else ()
    wants_number, wants_classes = "number" in allowed, bool(allowed) and "number" not in allowed
    if dtype == "number" and not wants_classes and (wants_number or _is_amount(filled, distinct)):
        return "number", f"'{name}' holds {distinct:,} different numbers: a number is predicted."
    if wants_number:
        raise OptionError(f"{metric} measures numbers, but '{name}' holds text.", "see --metric")
    if distinct > 20 and distinct > 0.5 * filled.len():
        raise DataError(
            f"'{name}' holds {distinct:,} different values in {filled.len():,} rows: too few "
            "rows for each to be a class.",
            _CHOOSE,
        )
    values = _told(filled.unique(maintain_order=True).sort().cast(pl.String).to_list())
    if distinct == 2:
        return "two_classes", f"'{name}' holds two values ({values}): one of them is predicted."
    hint = "; --metric mean_absolute_error predicts a number" if dtype == "number" else ""
    return "classes", f"'{name}' holds {distinct} values ({values}): a class is predicted{hint}."


_CHOOSE = "choose another column with --target"


def plan_target(
    frame: pl.DataFrame, name: str, *, metric: str | None = None, positive: str | None = None
) -> TargetPlan:
    """Decide the task, the classes and the rows to keep.

    Raises: DataError as `guess_task`; infinite numbers; classes with fewer than 3 rows.
    OptionError: a positive class that is not among two classes.
    """
    target = frame[name]
    task, sentence = guess_task(target, metric)
    answered = is_answer(target)
    keep = answered.arg_true().to_numpy().astype(np.int64)
    notes = [sentence]
    if len(keep) < target.len():
        count = target.len() - len(keep)
        rows = "1 row has" if count == 1 else f"{count:,} rows have"
        notes.append(f"{rows} no '{name}' and cannot teach or test anything: left out.")
    filled = target.gather(keep)
    if task == "number":
        return TargetPlan(task=task, encoder=_fit_number(filled, positive), keep=keep, notes=notes)
    encoder, said, rare = _fit_classes(filled, task, positive)
    return TargetPlan(task=task, encoder=encoder, keep=keep, notes=said + notes + rare)


def is_answer(target: pl.Series) -> pl.Series:
    """Return Boolean [N]: which rows of a target column hold an answer."""
    filled = target.is_not_null()
    if target.dtype.is_float():
        return filled & target.is_not_nan().fill_null(False)
    return filled if target.dtype != pl.String else text_of(target).is_not_null()


def no_answers(target: pl.Series) -> pl.Series:
    """Return Boolean [N]: rows that say NaN in words, an infinite number, or one beyond 3e38."""
    if target.dtype == pl.String:
        return target.str.strip_chars().is_in(_NAN_WORDS).fill_null(False)
    if not target.dtype.is_float():
        return pl.repeat(False, target.len(), eager=True)
    return (target.is_nan() | (target.abs() > _LARGEST)).fill_null(False)


def _answers(target: pl.Series) -> pl.Series:
    filled = target.filter(is_answer(target))
    return filled if dtype_of(filled.dtype) == "number" else text_of(filled)


def _is_amount(filled: pl.Series, distinct: int) -> bool:
    """Return whether numbers are amounts rather than codes of classes."""
    if distinct == 2:
        return False
    if not bool((filled.is_finite() & (filled == filled.round(0))).all()):
        return True
    if distinct > _MOST_CODES or filled.len() < _FEWEST_ROWS_A_CLASS * distinct:
        return True
    fewest = int(filled.rename("value").value_counts(name="rows")["rows"].min())  # type: ignore[arg-type]
    return distinct > _FEW_CODES and fewest < filled.len() / (5 * distinct)


def _fit_number(filled: pl.Series, positive: str | None) -> TargetEncoder:
    if positive is not None:
        raise OptionError(f"--positive {positive}: '{filled.name}' is a number.", "leave it out")
    values = filled.cast(pl.Float64)
    infinite = int(no_answers(values).sum())
    if infinite:
        rows = "1 row" if infinite == 1 else f"{infinite:,} rows"
        raise DataError(
            f"'{filled.name}' is infinite, or beyond {_LARGEST:g}, in {rows}.",
            "repair or remove these rows",
        )
    spread = float(values.std() or 0.0)  # type: ignore[arg-type]
    return TargetEncoder(
        column=filled.name,
        task="number",
        labels="float",
        center=float(values.mean() or 0.0),  # type: ignore[arg-type]
        scale=spread if spread > 0 else 1.0,
    )


def _fit_classes(
    filled: pl.Series, task: Task, positive: str | None
) -> tuple[TargetEncoder, list[str], list[str]]:
    """Return the encoder, the sentence on the positive class, and one on rare classes."""
    assert task in ("two_classes", "classes")
    text = text_of(filled)
    counts = dict(text.rename("value").value_counts(name="rows").iter_rows())
    rare = _check_classes(filled.name, counts)
    is_number = filled.dtype.is_numeric()
    ordered = sorted(counts, key=(lambda value: (float(value), value)) if is_number else None)
    notes: list[str] = []
    if task == "two_classes":
        ordered, note = _positive_last(filled.name, ordered, counts, positive)
        notes.append(note)
    elif positive is not None:
        raise OptionError(
            f"--positive {positive}: '{filled.name}' has {len(ordered)} classes, not two.",
            "leave it out",
        )
    labels: Literal["text", "integer", "float", "yes_no"] = "text"
    if filled.dtype == pl.Boolean:
        labels = "yes_no"
    elif is_number:
        labels = "float" if any("." in value for value in ordered) else "integer"
    encoder = TargetEncoder(column=filled.name, task=task, classes=tuple(ordered), labels=labels)
    return encoder, notes, rare


def _check_classes(name: str, counts: dict[str, int]) -> list[str]:
    """Return a sentence on rare classes. Raises: DataError when they leave no two to tell apart."""
    rare = {value: rows for value, rows in counts.items() if rows < _FEWEST_ROWS_A_CLASS}
    if not rare:
        return []
    told = ", ".join(f"'{value}' {rows}" for value, rows in sorted(rare.items())[:_SHOWN])
    more = f" and {len(rare) - _SHOWN} more" if len(rare) > _SHOWN else ""
    found = f"Classes of '{name}' have fewer than {_FEWEST_ROWS_A_CLASS} rows: {told}{more}"
    if len(counts) - len(rare) < 2:
        raise DataError(
            f"{found}.",
            "each class must appear in training, validation and test: add rows of it, merge it "
            "with another class or remove it",
        )
    return [f"{found}. They are learned from, but nothing can be said of how well."]


def _positive_last(
    name: str, ordered: list[str], counts: dict[str, int], positive: str | None
) -> tuple[list[str], str]:
    """Return (negative, positive) and the sentence on it."""
    if positive is not None:
        given = text_of(pl.Series([positive]))[0]
        same = [v for v in ordered if v == given or _same_number(v, positive)]
        if not same:
            raise OptionError(
                f"--positive {positive}: '{name}' has no such value.",
                f"{did_you_mean(positive, ordered)}its values are {_told(ordered)}",
            )
        chosen, why = same[0], "as you said"
    elif len(set(counts.values())) == 1:
        yes = [value for value in ordered if value.lower() in _YES]
        chosen, why = (yes or ordered[-1:])[0], "both are equally frequent"
    else:
        chosen, why = min(ordered, key=lambda value: counts[value]), "the rarer of the two"
    share = 100 * counts[chosen] / sum(counts.values())
    negative = next(value for value in ordered if value != chosen)
    note = (
        f"'{chosen}' is the positive class of '{name}', the one to find ({why}: "
        f"{share:.{2 if share < 99.5 else 3}g} of 100 rows); --positive chooses the other."
    )
    return [negative, chosen], note


def _same_number(value: str, given: str) -> bool:
    try:
        return float(value) == float(given)
    except ValueError:
        return False


def _told(values: list[str]) -> str:
    more = f" and {len(values) - _SHOWN} more" if len(values) > _SHOWN else ""
    return ", ".join(f"'{value}'" for value in values[:_SHOWN]) + more


def _typed_label(text: str, labels: str) -> Label:
    if labels == "integer":
        return int(text)
    if labels == "float":
        return float(text)
    return text == "true" if labels == "yes_no" else text
