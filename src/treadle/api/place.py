"""Where a fit takes place: its run folder, its journal, who looks on, and what a resume is owed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from treadle.api.engine import compiler
from treadle.api.machine import machine_and_versions
from treadle.api.options import FitOptions
from treadle.api.start import begin, new_folder
from treadle.api.track import sinks
from treadle.api.training import Observer, Saving, Trained, Training, train
from treadle.contracts import Json
from treadle.folder import EVENTS, FORMAT, RunFolder
from treadle.loop.journal import Journal


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """How a fit is begun: anew or resumed, exactly or not, and who looks on."""

    resume: bool = False
    not_exact: bool = False
    observer: Observer = field(default_factory=Observer)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where and how a model is trained.

    begun: an earlier attempt has written its journal there, and its checkpoint is gone on from
    """

    folder: RunFolder
    journal: Journal
    begun: bool
    observer: Observer
    threads: int


def use_threads(options: FitOptions) -> None:
    """Let torch use as many threads as were asked for."""
    import torch

    if options.threads:
        torch.set_num_threads(options.threads)


@contextlib.contextmanager
def open_place(
    kind: str, options: FitOptions, data_marks: Json, attempt: Attempt
) -> Iterator[Place]:
    """Hold the run folder of a fit of data, compared with what it was begun with.

    data_marks: the fingerprint of the data

    Raises: RunError.
    """
    import torch

    folder = RunFolder(options.out) if options.out else new_folder()
    marks: Json = {"data": data_marks, "engine": options.engine}
    if options.engine != "eager":
        marks["compiler"] = compiler()
    threads = torch.get_num_threads()
    with begin(
        folder,
        {"kind": kind, "options": options.recorded()},
        machine_and_versions(threads) | marks,
        resume=attempt.resume,
        not_exact=attempt.not_exact,
        overwrite=options.overwrite,
    ) as said:
        begun = attempt.resume and (folder.path / EVENTS).exists()
        journal = Journal(folder.path, listener=attempt.observer.line)
        for sentence in said:
            journal.say("resume", sentence)
        yield Place(
            folder=folder,
            journal=journal,
            begun=begun,
            observer=attempt.observer,
            threads=threads,
        )


def member_place(
    place: Place,
    name: str,
    options: FitOptions,
    kind: str,
    *,
    model: str = "",
    trial: Json | None = None,
) -> Place:
    """Return the run folder of a member, with its configuration, and a journal of its own.

    model: which model it is, where its name does not say
    trial: it is one of many that are tried with other settings, these; only its progress is shown
    """
    folder = RunFolder.create(place.folder.path / "members" / name)
    begun = place.begun and (folder.path / EVENTS).exists()
    if not begun:
        recorded = options.recorded() | {"model": model or name}
        config = {"format": FORMAT, "kind": kind, "options": recorded}
        folder.write_json("config.json", config if trial is None else config | {"trial": trial})
    observer = Observer(glance=place.observer.glance) if trial else place.observer
    return Place(
        folder=folder,
        journal=Journal(folder.path, listener=observer.line),
        begun=begun,
        observer=observer,
        threads=place.threads,
    )


def train_in(place: Place, training: Training, options: FitOptions, settings: Json) -> Trained:
    """Train in a place, from the seed on or from its newest checkpoint."""
    from treadle.loop.randomness import seed_all

    seed_all(options.seed)
    training.watchers = [*training.watchers, *sinks(options.track, place.folder)]
    training.worth, training.stops_itself = options.worth, options.stops_itself
    place.folder.write_json("plan.json", (place.folder.plan or {}) | {"settings": settings})
    return train(
        training,
        place.folder,
        place.journal,
        resume=place.begun,
        observer=place.observer,
        saving=Saving(every_seconds=options.save_every),
    )
