"""What corrections brought: this run beside the last one of the same data without them."""

from __future__ import annotations

from pathlib import Path

from treadle.contracts import Json
from treadle.data.finding import Finding, begun_large
from treadle.errors import TreadleError
from treadle.folder import RunFolder
from treadle.loop.journal import Journal

TITLE = "What the corrections brought"
SAME_LEARNING = frozenset(
    "data corrections out overwrite config json deep track save_every machine_cost watts".split()
)
"""Options that change nothing of what is learned, and the corrections themselves."""


def say_brought(folder: RunFolder, facts: Json, journal: Journal) -> None:
    """Say what corrections brought, and put it among the findings and into the report.

    facts: of the overlay: file, applied, unmatched
    """
    from treadle.api.result import write_report

    earlier = _run_before(folder)
    sentence, evidence = _compared(folder, earlier, facts)
    journal.say("corrections", sentence, **evidence)
    finding = Finding(
        severity="note", title=TITLE, sentence=begun_large(f"{sentence}."), evidence=evidence
    )
    findings = folder.findings or {}
    health = [*findings.get("health", []), finding.model_dump(mode="json")]
    folder.write_json("findings.json", findings | {"health": health, "corrections": evidence})
    write_report(folder)


def _compared(folder: RunFolder, earlier: RunFolder | None, facts: Json) -> tuple[str, Json]:
    count = facts["applied"]
    some = "1 corrected answer" if count == 1 else f"{count:,} corrected answers"
    result = folder.result or {}
    metric = result["metric"]
    now = f"with {some}, {metric['name']} on test is {metric['test']:.4g} ({_interval(metric)})"
    if earlier is None:
        return f"{now}; no run without them is beside it to compare with", dict(facts)
    before = (earlier.result or {})["metric"]
    sentence = (
        f"{now}; without them, in {earlier.path.name}, it was {before['test']:.4g} "
        f"({_interval(before)}). Part of the difference is that answers which were wrong no longer "
        "count as mistakes of the model"
    )
    if asked := _asked_otherwise(folder, earlier):
        sentence += f", and part may be that {earlier.path.name} was asked with another {asked}"
    evidence = facts | {
        "metric": metric["name"],
        "with": metric["test"],
        "without": before["test"],
        "run": str(earlier.path),
    }
    return sentence, evidence


def _interval(metric: Json) -> str:
    return f"{metric['low']:.4g} to {metric['high']:.4g}"


def _run_before(folder: RunFolder) -> RunFolder | None:
    """Return the last finished run beside this one, of the same data and target, without these
    corrections."""
    found: list[tuple[bool, float, RunFolder]] = []
    for place in folder.path.resolve().parent.iterdir():
        if place.name == folder.path.name or not (place / "result.json").is_file():
            continue
        try:
            run = RunFolder.open(place)
            if _is_alike(folder, run):
                when = (place / "result.json").stat().st_mtime
                found.append((not _asked_otherwise(folder, run), when, run))
        except (TreadleError, OSError, KeyError, TypeError):  # another's folder, or a broken one
            continue
    return max(found, key=lambda one: one[:2])[2] if found else None


def _asked_otherwise(folder: RunFolder, other: RunFolder) -> str:
    """Return the options by which two runs may learn differently: "--tune and --until"."""
    ours, theirs = folder.config["options"], other.config["options"]
    names = [name for name in dict.fromkeys([*ours, *theirs]) if name not in SAME_LEARNING]
    told = [f"--{name.replace('_', '-')}" for name in names if ours.get(name) != theirs.get(name)]
    return " and ".join(told)


def _is_alike(folder: RunFolder, other: RunFolder) -> bool:
    ours, theirs = folder.config["options"], other.config["options"]
    if theirs.get("corrections") or ours["target"] != theirs["target"]:
        return False
    same_metric = (folder.result or {})["metric"]["name"] == (other.result or {})["metric"]["name"]
    return same_metric and _marks(folder) == _marks(other)


def _marks(run: RunFolder) -> list[str]:
    """Return what tells a run's data from other data, but for the list of corrections."""
    options = run.config["options"]
    name = Path(options["corrections"]).name if options.get("corrections") else None
    files = (run.data or {})["fingerprint"].get("files")
    if files is None:  # photos: the hash is of the labels, too, and these were corrected
        return [*options["data"], str(sum((run.result or {})["rows"].values()))]
    return [file["sha256"] for file in files if file["name"] != name]
