"""`treadle predict`: new rows in, the same rows with predictions out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from treadle.contracts import Json
from treadle.errors import DataError, OptionError
from treadle.folder import RunFolder

if TYPE_CHECKING:
    import polars as pl

    from treadle.data.recognise import CellFormat
    from treadle.serve.predictor import Predictor

METHODS = {
    "table": "Shapley values of each column, against rows kept from training (Štrumbelj and "
    "Kononenko 2014; Lundberg and Lee 2017)",
    "images": "how much the chance differs without a place of the photo, left out of the maps that "
    "are pooled (Robnik-Šikonja and Kononenko 2008; Zhou et al. 2016)",
    "events": "what the odds of a suggestion lose without an item of the past (Cook 1977; "
    "Ghazimatin et al. 2020)",
}
WRITERS = (".csv", ".tsv", ".parquet", ".jsonl")


def predict(
    run: Path,
    data: Sequence[str],
    *,
    out: Path | None = None,
    sheet: str | None = None,
    photos: str | None = None,
    top: int = 10,
    reasons: int = 0,
    reasons_photos: str | None = None,
    tell: Callable[[str], None] = lambda words: None,
) -> tuple[Path, Json]:
    """Predict the rows of files and write them; return the file and a summary.

    out: .csv, .tsv, .parquet or .jsonl; by default predictions.csv in the present folder
    photos: the folder that a CSV's photos lie in; by default the CSV's own
    reasons: how many reasons each answer gets; tell: hears how long they take
    reasons_photos: a folder for the photos with the places framed that moved their answers

    Raises: UserError for a run that cannot predict, or data that does not fit it.
    """
    from treadle.serve.predictor import load_predictor, read_facts

    place = Path(out) if out else Path("predictions.csv")
    if place.suffix.lower() not in WRITERS:
        raise OptionError(
            f"--out {place} ends in '{place.suffix}'.", f"Endings: {', '.join(WRITERS)}."
        )
    if not place.absolute().parent.is_dir():
        raise OptionError(f"--out {place}: there is no folder {place.absolute().parent}.")
    folder = RunFolder.open(run)
    model = folder.path / "model"
    kind = read_facts(model)["kind"]
    if reasons:
        refuse_reasons(kind)
    if reasons_photos is not None:
        _check_pictures(kind, reasons)
    predictor = load_predictor(model)
    notes: list[str] = []
    if kind == "images":
        given = data[0] if len(data) == 1 else list(data)
        found = predictor.predict(  # type: ignore[call-arg]
            given, photos=photos, reasons=reasons, pictures=reasons_photos, tell=tell
        )
    else:
        rows, notes = _read(data, sheet, predictor)
        if kind == "table":
            try:
                answer = predictor.answer  # type: ignore[attr-defined]
                found, said = answer(rows, reasons=reasons, tell=tell)
            except DataError as error:
                raise DataError(f"{', '.join(data)}: {error.message}", error.hint) from error
            notes += said
        else:
            suggest = predictor.answer  # type: ignore[attr-defined]
            found, said = suggest(rows, top=top, reasons=reasons, tell=tell)
            notes += said
    if found.height == 0:
        raise DataError(f"{', '.join(data)} holds no rows to predict.")
    _write(found, place)
    problems = found["problem"].is_not_null().sum() if "problem" in found.columns else 0
    summary = {"out": str(place), "kind": kind, "rows": found.height, "problems": int(problems)}
    if reasons:
        columns = [f"reason_{number + 1}" for number in range(reasons)]
        summary["reasons"] = {"columns": columns, "method": METHODS[kind]}
    return place, summary | {"notes": notes}


def refuse_reasons(kind: str) -> None:
    """Raise OptionError for a kind of model whose answers have nothing to blame."""
    if kind not in METHODS:
        told = "a module of your own" if kind == "module" else kind
        raise OptionError(
            f"--reasons: reasons are given for tables, photos and events, and this model is for "
            f"{told}.",
            "Leave --reasons out.",
        )


def refuse_top(kind: str) -> None:
    """Raise OptionError for a kind of model that suggests nothing."""
    if kind != "events":
        raise OptionError(
            f"top says how many suggestions each user gets, and this model is for {kind}.",
            "Leave it out.",
        )


def _check_pictures(kind: str, reasons: int) -> None:
    """Raise OptionError unless there are photos, and places to frame in them."""
    if kind != "images":
        raise OptionError(
            "--reasons-photos frames places in photos, and this model is not for photos.",
            "Leave --reasons-photos out.",
        )
    if not reasons:
        raise OptionError(
            "--reasons-photos frames the places that --reasons names.", "Add --reasons 1."
        )


def _read(
    data: Sequence[str], sheet: str | None, predictor: Predictor
) -> tuple[pl.DataFrame, list[str]]:
    """Read a table without losing a cell: what a guess would blank or turn is kept as written."""
    from treadle.data.read import read_tables

    text = predictor.columns_as_text
    read = read_tables(list(data), sheet=sheet, as_text=text)
    learned = predictor.columns_learned
    lost = [n for n, how in read.formats.items() if n not in learned or _is_plain(how)]
    if lost:
        read = read_tables(list(data), sheet=sheet, as_text=[*text, *lost])
    return read.frame, read.notes


def _is_plain(written: CellFormat) -> bool:
    """Tell whether a column's text is read alike by the model itself, missing words and all."""
    return bool(written.missing_words) or (written.reads_as == "number" and written.decimal == ".")


def _write(frame: pl.DataFrame, place: Path) -> None:
    """Write whole or not at all: aside first, then renamed. CSV cells are no formulas."""
    from treadle.data.spreadsheet import flat, mark_formulas

    aside = place.with_name(f".{place.name}.tmp")
    suffix = place.suffix.lower()
    if suffix == ".parquet":
        frame.write_parquet(aside)
    elif suffix == ".jsonl":
        frame.write_ndjson(aside)
    else:
        separator = "\t" if suffix == ".tsv" else ","
        mark_formulas(flat(frame)).write_csv(aside, separator=separator)
    aside.replace(place)
