"""What all pages share: templates, style sheets, and a file that is written whole or not at all."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from treadle.errors import SaveError

HERE = Path(__file__).parent


@cache
def template(name: str) -> Template:
    """Return one of our pages, without what is filled in; every word that is will be escaped."""
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


@cache
def style(name: str = "page.css") -> Markup:
    """Return a style sheet; it is ours, so it is let in as it stands."""
    return Markup((HERE / name).read_text(encoding="utf-8"))  # noqa: S704  our own file


def written(content: str, place: Path, what: str) -> Path:
    """Write a page and return its place. what: as in "the report". Raises: SaveError."""
    aside = place.with_name(f".{place.name}.{os.getpid()}.tmp")
    try:
        aside.write_text(content, encoding="utf-8")
        aside.replace(place)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise SaveError(f"{what} could not be written to {place}: {error}.") from error
    return place
