"""A request for more data on one page, to forward to whoever collects: HTML, and plain text."""

from __future__ import annotations

import textwrap
from pathlib import Path

from treadle.contracts import Json
from treadle.errors import RunError
from treadle.folder import RunFolder
from treadle.report.answer import capitalised, readable
from treadle.report.facts import record, records, text, texts, whole
from treadle.report.paper import style, template, written

NAME = "request.html"
WIDTH = 80
PHOTO = "data:image/jpeg;base64,"


def write_request(folder: RunFolder) -> Path:
    """Write request.html into a run's folder and return its place. Raises: RunError, SaveError."""
    page = template("request.html").render(style=style("request.css"), **_content(folder))
    return written(page, folder.path / NAME, "the request")


def request_text(folder: RunFolder) -> str:
    """Return the request as plain text, for a mail. Raises: RunError."""
    told = _content(folder)
    lines = [told["title"], "=" * min(len(told["title"]), WIDTH), "", told["about"], ""]
    for number, one in enumerate(told["wanted"], start=1):
        lines += [f"{number}. {one['count']} more {one['what']}", one["why"], one["when"], ""]
    if told["fields"]:
        lines += [f"What a good example holds{told['example_of']}:"]
        for name, what, cells in told["fields"]:
            shown = f" (for example: {', '.join(cells)})" if cells else ""
            lines.append(f"- {name}: {what}{shown}")
        lines += [told["left_out"]] if told["left_out"] else []
        lines.append("")
    lines += ["Please:", *(f"- {rule}" for rule in told["rules"]), ""]
    return "\n".join(_wrapped(line) for line in lines)


def _content(folder: RunFolder) -> Json:
    found = readable(folder, "collect.json")
    request = record(found.get("request"))
    if not request:
        raise RunError(
            f"the run at {folder.path} has no request for more data.",
            f"Ask for one: treadle collect {folder.path}",
        )
    example = record(request.get("example"))
    of = text(request.get("example_of"))
    more = whole(example.get("left_out")) or 0
    return {
        "title": text(request.get("title")),
        "about": text(request.get("about")),
        "wanted": [
            {key: text(one.get(key)) for key in ("what", "why", "when")}
            | {"count": f"{whole(one.get('count')) or 0:,}"}
            for one in records(request.get("wanted"))
        ],
        "fields": _fields(example),
        "has_answer": text(found.get("noun")) != "event",
        "photos": _photos(example),
        "example_of": f", {of}" if of else "",
        "left_out": f"and {more} more columns, as in the data so far." if more else "",
        "rules": [capitalised(rule) for rule in texts(request.get("rules"))],
        "date": text(request.get("date")),
    }


def _fields(example: Json) -> list[tuple[str, str, list[str]]]:
    """Return of each column its name, what it is, and its cell in each example."""
    rows = [row for row in example.get("rows") or [] if isinstance(row, list)]
    found = []
    for place, field in enumerate(example.get("fields") or []):
        if isinstance(field, list) and len(field) == 2:
            cells = [text(row[place]) for row in rows if place < len(row)]
            found.append((text(field[0]), text(field[1]), cells))
    return found


def _photos(example: Json) -> list[tuple[str, str]]:
    """Return the photos that are shown: only those that lie in the page itself."""
    pairs = [pair for pair in example.get("photos") or [] if isinstance(pair, list)]
    both = [(text(pair[0]), text(pair[1])) for pair in pairs if len(pair) == 2]
    return [(uri, words) for uri, words in both if uri.startswith(PHOTO)]


def _wrapped(line: str) -> str:
    indent = "  " if line.startswith("- ") else ""
    return textwrap.fill(line, WIDTH, subsequent_indent=indent, break_on_hyphens=False) or ""
