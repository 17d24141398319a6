"""Fit data of any kind: which kind it is, and the way for that kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from treadle.api.options import FitOptions, Kind
from treadle.api.place import Attempt
from treadle.api.refusals import refuse_unmet
from treadle.api.run import Run
from treadle.api.start import refuse_taken
from treadle.api.training import Observer
from treadle.errors import DataError, OptionError
from treadle.folder import RunFolder

PHOTOS = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}


def fit_data(
    options: FitOptions,
    *,
    frame: Any = None,
    resume: bool = False,
    not_exact: bool = False,
    observer: Observer | None = None,
) -> Run:
    """Train on tables, images or events and return the run.

    frame: data from memory in place of `options.data`

    Raises: UserError for a mistake in options or data; Interrupted, with a resumable run left.
    """
    if options.out and not resume:
        refuse_taken(RunFolder(options.out), overwrite=options.overwrite)
    kind = kind_of(options, frame)
    refuse_unmet(options, kind)
    options = options.model_copy(update={"kind": kind})
    attempt = Attempt(resume=resume, not_exact=not_exact, observer=observer or Observer())
    run = _fitted(options, frame, attempt)
    if options.deep:
        _look_deeper(options, frame, run, attempt.observer)
    return run


def _fitted(options: FitOptions, frame: Any, attempt: Attempt) -> Run:
    """Train on data of the kind that the options name."""
    if options.kind == "images":
        if frame is not None:
            raise OptionError(
                f"photos were given as a {type(frame).__name__} in memory.",
                "Give a folder with a sub-folder for each kind, or a CSV of path,label.",
            )
        from treadle.api.fit_images import fit_images

        return fit_images(options, attempt)
    if options.kind == "events":
        from treadle.api.fit_events import fit_events

        return fit_events(options, frame, attempt)
    from treadle.api.fit_table import fit_table

    return fit_table(options, frame, attempt)


def _look_deeper(options: FitOptions, frame: Any, run: Run, observer: Observer) -> None:
    """Look at the data in depth, and tell the run's report of it."""
    from treadle.api.check import check

    sentence = "looking at the data in depth, for up to a minute."
    observer.line({"topic": "data", "step": 0, "time": "", "sentence": sentence})
    check(options, frame=frame, deep=True, out=run.path)


def are_paths(data: Any) -> bool:
    """Tell whether data was given as a path or several, and not from memory."""
    many = list(data) if isinstance(data, (list, tuple)) else [data]
    return bool(many) and all(isinstance(part, (str, Path)) for part in many)


def kind_of(options: FitOptions, frame: Any = None) -> Kind:
    """Return the kind that was said, or else guessed. Raises: OptionError when there is no data."""
    if frame is None and not options.data:
        raise OptionError("no data was given.", "Give files or a folder: treadle fit DATA …")
    return options.kind or guess_kind(options, frame)


def guess_kind(options: FitOptions, frame: Any = None) -> Kind:
    """Return what kind of data this is.

    A folder with photos in it, or a CSV whose cells are paths of photos: images. User, item or
    event named, or no target and columns that read like a log: events. Else a table.
    """
    if options.user or options.item or options.event:
        return "events"
    if frame is not None:
        return "table" if options.target else _table_or_events(options, frame)
    first = Path(options.data[0])
    if first.is_dir() and _holds_photos(first):
        return "images"
    if len(options.data) == 1 and first.suffix.lower() == ".csv" and _lists_photos(first):
        return "images"
    return "table" if options.target else _table_or_events(options, frame)


def _holds_photos(folder: Path) -> bool:
    """Tell whether a folder is one of photos. Raises: DataError when it holds no tables either."""
    from treadle.data.read import EXTENSIONS

    names = [path.name.lower() for path in folder.rglob("*") if path.is_file()]
    if any(Path(name).suffix in PHOTOS for name in names):
        return True
    if any(name.endswith(EXTENSIONS) and not name.endswith(".txt") for name in names):
        return False
    endings = sorted({Path(name).suffix or name for name in names})
    held = f"{len(names):,} files ending in {', '.join(endings[:5])}" if names else "no files"
    raise DataError(
        f"the folder {folder} holds neither photos nor tables; it holds {held}.",
        "Photos are JPEG, PNG, WebP, BMP or TIFF, in one sub-folder for each kind; tables are CSV, "
        "TSV, JSON lines, Parquet or .xlsx.",
    )


def _lists_photos(path: Path) -> bool:
    """Tell whether the first line of data has a cell that ends like a photo's name."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            lines = [file.readline() for _ in range(2)]
    except OSError:
        return False
    cells = lines[1].replace(";", ",").replace("\t", ",").split(",")
    return any(Path(cell.strip().strip('"')).suffix.lower() in PHOTOS for cell in cells)


def _table_or_events(options: FitOptions, frame: Any) -> Kind:
    """Without a target, a table that has users, items and times is a log of events."""
    from treadle.api.table_data import read_table
    from treadle.data.events_columns import find_columns
    from treadle.errors import UserError

    try:
        find_columns(read_table(options, frame).frame)
    except UserError:
        return "table"
    return "events"
