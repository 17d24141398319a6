"""What a mistake costs, as `--cost` says it: words in, numbers or columns out.

    missed=500 false_alarm=5             two classes; `caught` and `passed` may cost or bring too
    missed=Amount false_alarm=0.1*Amount a cost may be a column, or a number of times one
    cat>dog=5 *>cat=20                   several classes: truly a cat, taken for a dog
    too_high=2 too_low=5                 numbers: for each unit of error
    gain=2 shown=0.01                    suggestions: for each that is taken, each that is shown

Below zero is a gain, but for `gain` itself. An amount may carry a sign of money, which answers
repeat.
"""

from __future__ import annotations

import re

from treadle.contracts import Frozen
from treadle.errors import OptionError, did_you_mean

OF_TWO = ("missed", "false_alarm", "caught", "passed")
OF_NUMBERS = ("too_high", "too_low")
OF_SUGGESTIONS = ("gain", "shown")
ANY = "*"
LIKE = {
    "found": "caught",
    "hit": "caught",
    "true_positive": "caught",
    "false_positive": "false_alarm",
    "false_negative": "missed",
    "true_negative": "passed",
    "over": "too_high",
    "under": "too_low",
    "taken": "gain",
    "revenue": "gain",
    "price": "gain",
    "show": "shown",
}
SIGNS = "€$£¥"
EXAMPLE = (
    'Write for example "missed=500 false_alarm=5", "missed=Amount" for a column, "cat>dog=5" for '
    'several classes, "too_high=2 too_low=5" for numbers.'
)

_NAME = r"'[^']*'|\"[^\"]*\"|[^\s=>'\",;]+"
_VALUE = r"(?:'[^']*'|\"[^\"]*\"|[^\s;'\"])+"
_ENTRY = re.compile(rf"(?P<name>{_NAME})(?:\s*>\s*(?P<said>{_NAME}))?\s*=\s*(?P<value>{_VALUE})")
_TIMES = re.compile(rf"(?P<factor>[-+]?[\d.,]+)\*(?P<column>{_NAME})|(?P<column_first>{_NAME})"
                    r"\*(?P<factor_last>[-+]?[\d.,]+)")  # fmt: skip
_NUMBER = re.compile(rf"(?P<sign>[-+−]?)(?P<unit>[{SIGNS}]?)(?P<digits>\d[\d.,]*|\.\d+)")
_THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?")


class Amount(Frozen):
    """What one outcome costs: a number, or a number of times what a column says of the row."""

    factor: float
    column: str | None = None


class Cost(Frozen):
    """One entry: an outcome by its word, or a class that was true and the one that was said."""

    amount: Amount
    word: str = ""
    true: str = ""
    said: str = ""


class Costs(Frozen):
    """What outcomes cost, in the order they were said.

    unit: a sign of money such as €, or nothing
    """

    entries: tuple[Cost, ...]
    unit: str = ""

    @property
    def columns(self) -> list[str]:
        """The columns of the data that costs are read from."""
        named = [entry.amount.column for entry in self.entries]
        return list(dict.fromkeys(name for name in named if name is not None))

    def of(self, word: str) -> Amount:
        """Return what an outcome costs: nothing, where that was not said."""
        return next((e.amount for e in self.entries if e.word == word), Amount(factor=0.0))


def parse_costs(text: str) -> Costs:
    """Return what `--cost` says. Raises: OptionError with all that was not understood."""
    costs, problems = read_costs(text)
    if problems:
        raise OptionError.of(problems)
    return costs


def read_costs(text: str) -> tuple[Costs, list[tuple[str, str]]]:
    """Return what `--cost` says, and all that was not understood, each with what to do."""
    entries: list[Cost] = []
    units: set[str] = set()
    rest = _ENTRY.sub(" ", text).replace(",", " ").replace(";", " ").split()
    problems = [(f"--cost: '{word}' was not understood.", EXAMPLE) for word in rest]
    for found in _ENTRY.finditer(text):
        try:
            entries.append(_entry(found, units))
        except OptionError as error:
            problems.append((error.message, error.hint))
    problems += _together(entries, units)
    if not entries and not problems:
        problems.append(("--cost says nothing.", EXAMPLE))
    return Costs(entries=tuple(entries), unit=next(iter(units), "")), problems


def _entry(found: re.Match[str], units: set[str]) -> Cost:
    name, said = _bare(found["name"]), found["said"]
    amount, unit = _amount(found["value"].rstrip(","), found[0].rstrip(","))
    units |= {unit} if unit else set()
    if said is not None:
        return Cost(true=name, said=_bare(said), amount=amount)
    word = name.lower().replace("-", "_")
    known = (*OF_TWO, *OF_NUMBERS, *OF_SUGGESTIONS)
    if word not in known:
        like = LIKE.get(word)
        hint = f"did you mean '{like}'? " if like else did_you_mean(word, known)
        raise OptionError(
            f"--cost: '{name}' is no outcome.",
            f"{hint}Outcomes are {', '.join(OF_TWO)} for two classes, {' and '.join(OF_NUMBERS)} "
            f"for numbers, true>said for several classes, {' and '.join(OF_SUGGESTIONS)} for "
            "suggestions.",
        )
    return Cost(word=word, amount=amount)


def _amount(value: str, entry: str) -> tuple[Amount, str]:
    """Return an amount and its sign of money. Raises: OptionError."""
    if found := _TIMES.fullmatch(value):
        factor = _plain_number(found["factor"] or found["factor_last"], entry)
        return Amount(factor=factor, column=_bare(found["column"] or found["column_first"])), ""
    if found := _NUMBER.fullmatch(value):
        number = _plain_number(found["digits"], entry)
        return Amount(factor=-number if found["sign"] in "-−" and found["sign"] else number), found[
            "unit"
        ]
    if value[0] in "'\"" or not (value[0].isdigit() or value[0] in "+-−." + SIGNS):
        return Amount(factor=1.0, column=_bare(value)), ""
    raise OptionError(
        f"--cost: '{value}' in '{entry}' is no number.",
        "Write 500, 0.5 or 1,000; the name of a column that begins so goes in quotes: "
        f"missed='{value}'.",
    )


def _plain_number(digits: str, entry: str) -> float:
    """Return 0.5, 1000 or 1,000 as a number, but never 0,5. Raises: OptionError."""
    try:
        return float(digits.replace(",", "") if _THOUSANDS.fullmatch(digits) else digits)
    except ValueError:
        raise OptionError(
            f"--cost: '{digits}' in '{entry}' is no number.", "Write 500, 0.5 or 1,000."
        ) from None


def _bare(name: str) -> str:
    return name[1:-1] if len(name) > 1 and name[0] == name[-1] and name[0] in "'\"" else name


def _together(entries: list[Cost], units: set[str]) -> list[tuple[str, str]]:
    """Return what is wrong with entries beside each other."""
    problems = []
    keys = [(entry.word, entry.true, entry.said) for entry in entries]
    for word, true, said in dict.fromkeys(key for key in keys if keys.count(key) > 1):
        problems.append((f"--cost: '{word or f'{true}>{said}'}' was said twice.", "Say it once."))
    if len(units) > 1:
        told = " and ".join(sorted(units))
        problems.append((f"--cost is in {told} at once.", "Say all costs in one currency."))
    kinds = {_kind(entry) for entry in entries}
    if len(kinds) > 1:
        problems.append(
            (f"--cost speaks of {' and of '.join(sorted(kinds))} at once.", "It is one of them.")
        )
    return problems


def _kind(entry: Cost) -> str:
    if entry.word in OF_TWO:
        return "two classes (missed, false_alarm)"
    if entry.word in OF_SUGGESTIONS:
        return "suggestions (gain, shown)"
    return "numbers (too_high, too_low)" if entry.word else "pairs of classes (true>said)"
