"""docs/benchmarks.md from results: the bars first, then every work with all who took part."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.speed.rounds import ratio
from benchmarks.speed.works import COMPILED, EAGER, GROWTH, HAND, PRODUCTS

Found = Mapping[str, Any]
OURS = "Treadle"
DISTURBED_FROM = 0.02
ORDER = ("small", "width", "loop", "gpt", "embedding", "parquet", "features", "trees", "targets")


def page(results: Found, plots: Sequence[str]) -> str:
    """Return the whole page, Markdown."""
    works: Mapping[str, Any] = results["works"]
    whole = sorted(
        (work for work in works.values() if work["group"] != "growth"),
        key=lambda work: ORDER.index(work["group"]) if work["group"] in ORDER else len(ORDER),
    )
    parts = [
        "# Benchmarks",
        "Written by `make bench`; do not edit. Every contender is a process of its own with the "
        "same model, data, batch and first weights, float32, warmed up and compiled outside the "
        "clock. They take turns in rounds whose order rotates, each alone while the others are "
        "stopped. A ratio is taken within a round; the median of the rounds stands here, the "
        "lowest and highest in brackets. Below 1 Treadle is the faster one.",
        _machine(results["machine"]),
        "## The bars",
        _bars(whole),
        *(f"![{words}](benchmarks/{name})" for name, words in _named(plots)),
        *(_section(work, results["machine"]) for work in whole),
        _growth(works),
        "## Not here",
        _not_here(results),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _machine(machine: Found) -> str:
    units = ", ".join(machine["vector_units"]) or "no vector units that it names"
    lines = [
        f"Measured on {machine['date']}: {machine['processor']} ({units}), {machine['cores']} "
        f"cores, {machine['threads']} threads, {machine['memory_gib']} GiB, {machine['system']}, "
        f"Python {machine['python']}, commit {machine['commit']}; load before it began "
        f"{machine['load_before']}.",
        "Treadle's side: " + _versions(machine["own"]) + ".",
        "The peers, in an environment of their own: "
        + (_versions(machine["peers"]) or "none")
        + ".",
    ]
    return "\n".join(lines)


def _versions(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _bars(works: Sequence[Found]) -> str:
    lines = ["| work | bar | measured | |", "|---|---|---|---|"]
    lines += [
        f"| {work['title'].split(':')[0]} | {_asked(bar)} | {_got(bar)} |"
        for work in works
        for bar in work["bars"]
    ]
    return "\n".join(lines)


def _asked(bar: Found) -> str:
    if bar.get("words"):
        return str(bar["words"])
    if bar["peer"] is None:
        return f"≤ {bar['limit']:g} µs"
    return f"≤ {bar['limit']:.3g} × {bar['peer']}"


def _got(bar: Found) -> str:
    unsettled = "not settled" if "ratio" in bar else "not measured"
    verdict = {True: "met", False: "**not met**", None: unsettled}[bar["met"]]
    why = f" ({bar['why']})" if bar.get("why") else ""
    if "ratio" not in bar:
        return f"| {verdict}{why}"
    by = f"{bar['ours']}: " if bar["ours"] != bar["asked_of"] else ""
    unit = " µs" if bar["peer"] is None and not bar.get("words") else ""
    return f"{by}{_ratio(bar['ratio'])}{unit} | {verdict}{why}"


def _ratio(three: Sequence[float]) -> str:
    median, low, high = (f"{number:.3g}" for number in three)
    return f"{median} [{low}–{high}]"


def _section(work: Found, machine: Found) -> str:
    if "text" in work:  # measured by a script of its own
        parts = [f"## {work['title']}", f"```\n{work['text']}\n```", _earlier(work, machine)]
        return "\n\n".join(part for part in parts if part)
    rows: Mapping[str, Any] = work["rows"]
    ours = next((name for name in rows if name.startswith(OURS)), None)
    has_products = PRODUCTS.name in rows
    head = f"| | time a {work['unit']} | × {ours or OURS} | peak memory | loss after warm-up |"
    head += " × products |" if has_products else ""
    lines = [f"## {work['title']}", "", head, "|---" * (head.count("|") - 1) + "|"]
    for name, row in sorted(rows.items(), key=lambda item: statistics.median(item[1]["seconds"])):
        cells = [name, _time(row["seconds"])]
        cells.append(_ratio(ratio(row["seconds"], rows[ours]["seconds"])) if ours else "")
        cells += [_peak(row), _loss(row)]
        if has_products:
            products = rows[PRODUCTS.name]["seconds"]
            cells.append(_ratio(ratio(row["seconds"], products)))
        lines.append("| " + " | ".join(cells) + " |")
    lines += [f"| {name} | — absent: {why} |" for name, why in work["absent"].items()]
    notes = [
        work["note"],
        _roofline(rows.get(PRODUCTS.name)),
        _equal(rows),
        _reached(rows, work.get("level")),
        _disturbed(work),
        _earlier(work, machine),
    ]
    return "\n".join(lines) + "\n\n" + " ".join(note for note in notes if note)


def _earlier(work: Found, machine: Found) -> str:
    """Return a sentence where a work was measured before the others."""
    if all(work.get(name, machine[name]) == machine[name] for name in ("date", "commit")):
        return ""
    return f"This was measured on {work['date']} at commit {work['commit']}."


def _reached(rows: Mapping[str, Any], level: float | None) -> str:
    """Return what each came to on validation, where a target was asked for."""
    told = []
    for name, row in rows.items() if level is not None else ():
        reached = row["facts"].get("reached")
        seconds = row["facts"].get("training_seconds_to_target")
        after = f" after {seconds:.1f} s of training" if seconds else ""
        short = "" if reached is not None and reached >= level else ", **short of the target**"
        value = "nothing" if reached is None else f"{reached:.4f}"
        told.append(f"{name} came to {value}{after}{short}")
    return "; ".join(told) + "." if told else ""


def _time(seconds: Sequence[float]) -> str:
    """Return the median and the range, in the unit that suits it."""
    middle = statistics.median(seconds)
    scales = ((1e6, "µs", 0.01), (1e3, "ms", 1.0), (1, "s", float("inf")))
    factor, unit = next((f, u) for f, u, below in scales if middle < below)
    low, high = min(seconds) * factor, max(seconds) * factor
    return f"{_short(middle * factor)} {unit} [{_short(low)}–{_short(high)}]"


def _short(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def _peak(row: Found) -> str:
    facts = row["facts"]
    return "" if "products" in facts or "peak_mib" not in facts else f"{facts['peak_mib']:,} MiB"


def _loss(row: Found) -> str:
    loss = row["after_warm_up"].get("loss")
    return "" if loss is None else f"{loss:.4f}"


def _roofline(row: Found | None) -> str:
    """Return what the matrix libraries gave in this run, and what the arithmetic would take."""
    if row is None:
        return ""
    facts = row["facts"]
    rates = [
        f"{name} {rate:,.0f} GFLOP/s ({facts['operations'] / rate / 1e3:,.0f} µs)"
        for name, rate in facts["peaks_gflops"].items()
    ]
    return (
        f"The {facts['products']} products are {facts['operations'] / 1e6:,.1f} million "
        f"operations. On large matrices in float32 this run gave, by library: {', '.join(rates)}; "
        "in brackets, what these operations would take at that rate. Neither is the cores' limit: "
        "another library may be faster, and a contender that uses one can come in below the "
        f"products of torch.mm. Copying moved {facts['copy_gb_per_second']:g} GB/s."
    )


def _equal(rows: Mapping[str, Any]) -> str:
    digests = [
        rows[name]["after_warm_up"].get("weights")
        for name in (EAGER.name, HAND.name)
        if name in rows
    ]
    if len(digests) != 2 or digests[0] is None:
        return ""
    same = "the same to the bit" if digests[0] == digests[1] else "NOT the same"
    return f"The weights of {EAGER.name} and of the {HAND.name} after the warm-up are {same}."


def _disturbed(work: Found) -> str:
    """Return a sentence where other processes were busy meanwhile."""
    share = work.get("disturbed", 0.0)
    if share < DISTURBED_FROM:
        return ""
    return (
        f"**Other processes took {share:.0%} of the cores while this was measured: these figures "
        "are rough.**"
    )


def _growth(works: Mapping[str, Any]) -> str:
    parts = []
    for axis, sizes in GROWTH.items():
        there = [
            (size, works[f"growth-{axis}-{size}"])
            for size in sizes
            if f"growth-{axis}-{size}" in works
        ]
        if there:
            parts.append(_growth_table(axis, there))
    head = "## How cost grows\n\nThe small network, with one size changed at a time."
    return "\n\n".join([head, *parts]) if parts else ""


def _growth_table(axis: str, there: Sequence[tuple[int, Found]]) -> str:
    names = (COMPILED.name, EAGER.name, HAND.name)
    head = [axis, *(f"{name}, a step" for name in names), f"× {HAND.name}", "rows/s", "peak memory"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for size, work in there:
        rows = work["rows"]
        cells = [f"{size:,}"]
        cells += [_time(rows[name]["seconds"]) if name in rows else "—" for name in names]
        ours = next((rows[name] for name in names[:2] if name in rows), None)
        if ours and HAND.name in rows:
            cells.append(_ratio(ratio(ours["seconds"], rows[HAND.name]["seconds"])))
        else:
            cells.append("")
        batch = size if axis == "batch" else 256
        rate = batch / statistics.median(ours["seconds"]) if ours else 0
        cells += [f"{rate:,.0f}" if ours else "", _peak(ours) if ours else ""]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _not_here(results: Found) -> str:
    machine = results["machine"]
    lines = [f"- {name}: {why}" for name, why in results.get("skipped", {}).items()]
    gpu = machine["accelerator"]
    lines.append(
        f"- On a GPU ({gpu}): this suite measures processors only."
        if gpu
        else "- On a GPU: this machine has none, so nothing was measured there."
    )
    return "\n".join(lines)


def _named(plots: Sequence[str]) -> list[tuple[str, str]]:
    return [(name, name.removesuffix(".svg").replace("-", " ")) for name in plots]
