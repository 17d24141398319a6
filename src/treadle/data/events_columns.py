"""Which columns of a log tell who, what, when and (where there is one) what kind of event."""

from __future__ import annotations

import re
from collections.abc import Collection

import polars as pl

from treadle.contracts import Frozen
from treadle.errors import DataError, did_you_mean

_ROLES = ("user", "item", "time", "event")
_MEANING = {
    "user": "who did something (a customer, a visitor)",
    "item": "what it was done with (a product, a film)",
    "time": "when it was done",
    "event": "what kind of event it was",
}
_WORDS = {
    "user": (
        *("user", "customer", "client", "visitor", "shopper", "buyer", "member", "subscriber"),
        *("person", "household", "viewer", "listener", "reader", "guest", "player", "patient"),
        *("account", "profile", "uid", "consumer", "kunde", "benutzer", "cliente", "usuario"),
        *("utilisateur", "who", "wer", "session", "cookie", "device", "basket"),
    ),
    "item": (
        *("item", "product", "article", "sku", "movie", "film", "song", "track", "book", "video"),
        *("asin", "isbn", "ean", "gtin", "upc", "listing", "offer", "asset", "game", "show"),
        *("course", "recipe", "page", "content", "artist", "album", "material", "goods", "artikel"),
        *("what", "produkt", "produit", "producto", "articulo", "articolo", "prodotto", "url"),
    ),
    "time": (
        *("timestamp", "datetime", "time", "ts", "date", "when", "moment", "unixtime", "created"),
        *("occurred", "at", "zeit", "zeitpunkt", "zeitstempel", "datum", "fecha", "hora", "heure"),
        *("day",),
    ),
    "event": (
        *("event", "action", "interaction", "behavior", "behaviour", "activity", "verb"),
        *("ereignis", "aktion", "type", "kind"),
    ),
}
_IDENTIFYING = {"id", "ids", "key", "code", "no", "nr", "num", "number", "identifier", "type"}
_DESCRIBING = {
    *("name", "title", "category", "categories", "price", "brand", "count", "quantity", "amount"),
    *("description", "color", "colour", "city", "country", "age", "gender", "rating", "email"),
    *("value", "cost", "group", "segment", "stock", "zone", "lag", "duration", "spent", "label"),
}
GOAL_WORDS = (
    *("purchase", "purchased", "buy", "bought", "order", "ordered", "transaction", "sale", "sold"),
    *("checkout", "conversion", "paid", "payment", "kauf", "gekauft", "compra", "achat"),
)
_ACTION_WORDS = {
    *GOAL_WORDS,
    *("view", "viewed", "click", "clicked", "cart", "addtocart", "add", "wishlist", "like", "play"),
    *("rate", "share", "download", "open", "visit", "remove", "search", "impression", "pageview"),
}
_MOST_KINDS = 100


class EventColumns(Frozen):
    """The columns of a log by their role; `event` is None where all events are of one kind."""

    user: str
    item: str
    time: str
    event: str | None = None


def words_of(name: str) -> list[str]:
    """Return the lower-case words of a column name or a value: "CustomerID" → customer, id."""
    parted = re.sub(r"([a-z0-9])([A-Z])|([A-Z])(?=[A-Z][a-z])", r"\1\3 \2", name)
    return [word for word in re.split(r"[^0-9a-zäöüßáéíóúñçèêàù]+", parted.lower()) if word]


def find_columns(
    frame: pl.DataFrame,
    *,
    user: str | None = None,
    item: str | None = None,
    time: str | None = None,
    event: str | None = None,
) -> tuple[EventColumns, list[str]]:
    """Return the columns by role, and one plain sentence for each that was guessed.

    A named column is taken as named. The others are found by their names (generic words such as
    customer, product, date), then by what they hold.

    Raises: DataError with all problems: no such column, one column named twice, a role for which
    no column was found.
    """
    named = {"user": user, "item": item, "time": time, "event": event}
    chosen = {role: name for role, name in named.items() if name is not None}
    _check_named(frame, chosen)
    notes = []
    for role in _ROLES:
        if role not in chosen and (found := _by_name(frame, role, set(chosen.values()))):
            chosen[role] = found
            notes.append(f"The column '{found}' is taken for {_MEANING[role]}, by its name.")
    if "time" not in chosen and (dated := _only_date(frame, set(chosen.values()))):
        chosen["time"] = dated
        notes.append(f"The column '{dated}' is taken for {_MEANING['time']}: it alone holds dates.")
    _add_by_content(frame, chosen, notes)
    _check_complete(frame, chosen)
    return EventColumns(**chosen), notes


def _check_named(frame: pl.DataFrame, chosen: dict[str, str]) -> None:
    problems = []
    for role, name in chosen.items():
        if name not in frame.columns:
            hint = did_you_mean(name, frame.columns) + f"The columns are: {_listed(frame)}."
            problems.append((f"there is no column '{name}' (asked for by --{role}).", hint))
    for name in sorted({*chosen.values()}):
        roles = [role for role, taken in chosen.items() if taken == name]
        if len(roles) > 1:
            hint = "Each role needs a column of its own."
            problems.append((f"the column '{name}' is named for {' and for '.join(roles)}.", hint))
    if problems:
        raise DataError.of(problems)


def _check_complete(frame: pl.DataFrame, chosen: dict[str, str]) -> None:
    problems = [
        (
            f"no column was found that tells {_MEANING[role]}. The columns are: {_listed(frame)}.",
            f"Name it: --{role} COLUMN.",
        )
        for role in ("user", "item", "time")
        if role not in chosen
    ]
    if problems:
        raise DataError.of(problems)


def _listed(frame: pl.DataFrame) -> str:
    names = ", ".join(frame.columns[:20])
    return names + (", …" if frame.width > 20 else "")


def _by_name(frame: pl.DataFrame, role: str, taken: Collection[str]) -> str | None:
    """Return the free column whose name fits a role best, or None. The first of equals."""
    fitting = [
        (score, -place, name)
        for place, name in enumerate(frame.columns)
        if name not in taken
        and (score := _name_score(name, role)) > 0
        and _can_be(frame[name], role)
    ]
    return max(fitting)[2] if fitting else None


def _name_score(name: str, role: str) -> float:
    """Return how well a name fits: early words of the list best, exact names above parts."""
    words = words_of(name)
    places = [_WORDS[role].index(word) for word in words if word in _WORDS[role]]
    places += [
        _WORDS[role].index(word[:-2])
        for word in words
        if word.endswith("id") and word[:-2] in _WORDS[role]
    ]
    if not places:
        return 0.0
    others = [word for word in words if word not in _WORDS[role]]
    describing = sum(word in _DESCRIBING for word in others)
    foreign = sum(word not in _IDENTIFYING | _DESCRIBING for word in others)
    return max(0.01, 100 - min(places) - 10 * foreign - 60 * describing)


def _can_be(column: pl.Series, role: str) -> bool:
    """Return whether what a column holds allows the role at all."""
    if role == "time":
        return column.dtype.is_temporal() or column.dtype.is_numeric() or column.dtype == pl.String
    if role == "event":
        return _tells_kinds(column)
    whole = False
    if column.dtype.is_float():
        known = column.fill_nan(None).drop_nulls()
        whole = bool((known % 1 == 0).all())
    return column.dtype in (pl.String, pl.Categorical) or column.dtype.is_integer() or whole


def _tells_kinds(column: pl.Series) -> bool:
    """Return whether a column holds few words, and for a vague name words of doing."""
    if column.dtype not in (pl.String, pl.Categorical, pl.Enum):
        return False
    values = column.drop_nulls().cast(pl.String).unique()
    if not 1 <= len(values) <= _MOST_KINDS:
        return False
    doing = any(not _ACTION_WORDS.isdisjoint(words_of(value)) for value in values)
    return doing or not {"type", "kind"} & set(words_of(column.name))


def _only_date(frame: pl.DataFrame, taken: Collection[str]) -> str | None:
    dated = [
        name
        for name, kind in frame.schema.items()
        if name not in taken and kind in (pl.Date, pl.Datetime)
    ]
    return dated[0] if len(dated) == 1 else None


def _add_by_content(frame: pl.DataFrame, chosen: dict[str, str], notes: list[str]) -> None:
    """Give the roles of user and item to the columns that are left, if they can be told apart.

    In time order the same user often comes twice in a row, the same item seldom does.
    """
    missing = [role for role in ("user", "item") if role not in chosen]
    free = [
        name
        for name in frame.columns
        if name not in chosen.values() and _can_be(frame[name], "user") and _repeats(frame[name])
    ]
    if "time" not in chosen or not missing or len(free) != len(missing):
        return
    if len(missing) == 2:
        ordered = frame.sort(chosen["time"])
        free.sort(key=lambda name: _share_repeated_next(ordered[name]), reverse=True)
    for role, name in zip(missing, free, strict=True):
        chosen[role] = name
        notes.append(f"The column '{name}' is taken for {_MEANING[role]}, by what it holds.")


def _repeats(column: pl.Series) -> bool:
    """Return whether a column may hold identifiers that come again: neither constant nor unique."""
    return 2 <= column.n_unique() < 0.9 * len(column)


def _share_repeated_next(column: pl.Series) -> float:
    same = (column == column.shift(1)).fill_null(False).mean()
    return float(str(same))
