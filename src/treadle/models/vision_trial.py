"""Which engine computes a backbone's features: tried on a few real photos, then chosen.

A faster engine is taken only if what it sees agrees with plain torch in float32 on every photo
tried, and if a photo gives it the same bits alone as in company. The clock decides between those
that do, so the choice belongs into the journal: a resumed run takes it from there.

Shape legend: B photos of one shape, D features.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor

from treadle.contracts import Json
from treadle.models.vision import Backbone
from treadle.models.vision_packed import ENGINES, Engine, engine_problem

TOLERANCE = 0.999
"""The least cosine between a photo's features and those of plain torch in float32."""

FEWEST_PHOTOS = 500
"""Fewer new photos are looked at the plain way: trying takes about as long as 250 photos save."""

NUM_TRIED = 8
_ROUNDS = 3
_WORTH = 0.9
"""A less exact engine must take at most this share of the time of a more exact one."""


@dataclass(frozen=True, kw_only=True)
class Tried:
    """What one engine did with the photos tried.

    milliseconds: a photo, on one thread
    similarity:   the least cosine to the features of the plain way
    problem:      why it is not taken, or nothing
    """

    engine: Engine
    milliseconds: float = 0.0
    similarity: float = 0.0
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """An engine, and what speaks for it in one plain sentence and in numbers."""

    engine: Engine
    sentence: str
    saw: Json


def choose_engine(
    backbone: Backbone, photos: Callable[[], Sequence[Tensor]], num_new: Mapping[Engine, int]
) -> Choice:
    """Return the engine that is done soonest with the photos ahead.

    photos:  gives some of them, uint8 [3, H, W]; called only where trying pays
    num_new: engine → how many photos it has yet to see (others were seen on it before)
    """
    usable = [engine for engine in ENGINES if not engine_problem(engine)]
    fewest = min(usable, key=lambda engine: num_new[engine])
    if num_new[fewest] < FEWEST_PHOTOS or not (some := photos()):
        return _without_trying(fewest, num_new)
    tried = try_engines(backbone, some)
    best = tried[0]
    for other in tried[1:]:
        if not other.problem and _ahead(other, num_new) < _WORTH * _ahead(best, num_new):
            best = other
    return Choice(engine=best.engine, sentence=_told(best, tried), saw=_numbers(tried))


def engine_by_processor() -> Engine:
    """Return the engine that should be fastest here, from what the processor is, not a clock."""
    has_bf16 = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    usable = [engine for engine in ENGINES if not engine_problem(engine)]
    return usable[-1] if has_bf16 or usable[-1] != "packed_bf16" else usable[-2]


def try_engines(backbone: Backbone, photos: Sequence[Tensor]) -> list[Tried]:
    """Return what each engine does with photos uint8 [3, H, W], the plain way first.

    The rounds are interleaved, on one thread, as features are computed.
    """
    with _one_thread():
        ready = [_prepared(backbone, engine, photos) for engine in ENGINES]
        for _ in range(_ROUNDS):
            for one in ready:
                if one.backbone is not None and not one.problem:
                    start = time.perf_counter()
                    _features(one.backbone, photos)
                    one.seconds.append(time.perf_counter() - start)
    return [_judged(one, ready[0].features, len(photos)) for one in ready]


@dataclass(kw_only=True)
class _Prepared:
    """A backbone on one engine, warmed up; `features` [N, D] are those of the photos tried."""

    engine: Engine
    backbone: Backbone | None = None
    features: Tensor = field(default_factory=lambda: torch.zeros(0))
    problem: str = ""
    seconds: list[float] = field(default_factory=list)


def _prepared(backbone: Backbone, engine: Engine, photos: Sequence[Tensor]) -> _Prepared:
    if problem := engine_problem(engine):
        return _Prepared(engine=engine, problem=problem)
    try:
        one = backbone.on(engine)
        features = _features(one, photos)
        same = engine == "plain" or _same_in_company(one, photos[0])
    except RuntimeError as error:
        problem = f"this torch does not know its layers ({str(error).strip()[:200]})"
        return _Prepared(engine=engine, problem=problem)
    problem = "" if same else "a photo alone does not give the same bits as in company"
    return _Prepared(engine=engine, backbone=one, features=features, problem=problem)


def _same_in_company(backbone: Backbone, photo: Tensor) -> bool:
    """Tell whether a photo has the same features, to the bit, in a batch as alone."""
    company = torch.stack([photo, photo.flip(1), photo.flip(2), photo])
    together, alone = backbone.features(company), backbone.features(photo[None])
    return torch.equal(alone[0], together[0]) and torch.equal(alone[0], together[-1])


def _judged(ready: _Prepared, expected: Tensor, num_photos: int) -> Tried:
    """Return what speaks for an engine, and against it."""
    if ready.problem:
        return Tried(engine=ready.engine, problem=ready.problem)
    similarity, problem = _similarity(ready.features, expected), ""
    if not similarity >= TOLERANCE:  # NaN is no agreement either
        problem = f"what it sees agrees to {similarity:.4f} only, and {TOLERANCE} is asked"
    milliseconds = 1e3 * statistics.median(ready.seconds) / num_photos
    return Tried(
        engine=ready.engine, milliseconds=milliseconds, similarity=similarity, problem=problem
    )


def _features(backbone: Backbone, photos: Sequence[Tensor]) -> Tensor:
    """Return the features [N, D] of photos of several shapes, in batches as the engine likes."""
    rows: dict[int, Tensor] = {}
    for places in _of_one_shape(photos, backbone.photos_at_once):
        batch = torch.stack([photos[place] for place in places])
        rows.update(zip(places, backbone.features(batch), strict=True))
    return torch.stack([rows[place] for place in range(len(photos))])


def _of_one_shape(photos: Sequence[Tensor], most: int) -> Iterator[list[int]]:
    shapes: dict[torch.Size, list[int]] = {}
    for place, photo in enumerate(photos):
        shapes.setdefault(photo.shape, []).append(place)
    for places in shapes.values():
        for start in range(0, len(places), most):
            yield places[start : start + most]


def _similarity(found: Tensor, expected: Tensor) -> float:
    """Return the least cosine over the photos of two sets of features [N, D]."""
    cosines = torch.cosine_similarity(found.double(), expected.double(), dim=1)
    return float(cosines.min())


def _ahead(tried: Tried, num_new: Mapping[Engine, int]) -> float:
    return tried.milliseconds * num_new[tried.engine]


def _without_trying(engine: Engine, num_new: Mapping[Engine, int]) -> Choice:
    """Choose without a clock: there is too little ahead for trying to pay."""
    new = num_new[engine]
    count = f"{new or 'no'} photo{'' if new == 1 else 's'}"
    sentence = (
        f"{count} to look at that the cache does not know: too few for trying faster ways to pay, "
        f"so photos are looked at {_WORDS[engine]}."
    )
    return Choice(engine=engine, sentence=sentence, saw={"new": dict(num_new)})


_WORDS = {
    "plain": "the plain way",
    "packed": "in 32-bit numbers, laid out for this processor",
    "packed_bf16": "mostly in 16-bit numbers (bf16), laid out for this processor",
}


def _told(best: Tried, tried: Sequence[Tried]) -> str:
    plain = tried[0]
    sentence = f"photos are looked at {_WORDS[best.engine]}: {best.milliseconds:.1f} ms a photo"
    if best.engine == "plain":
        return f"{sentence} on one core; no other way tried was faster and saw the same."
    return (
        f"{sentence} on one core, and {plain.milliseconds:.1f} the plain way. What is seen agrees "
        f"to {best.similarity:.4f} or better on the photos tried (1 is the same; {TOLERANCE} is "
        "asked)."
    )


def _numbers(tried: Sequence[Tried]) -> Json:
    return {
        one.engine: {"problem": one.problem}
        if one.problem
        else {"milliseconds": round(one.milliseconds, 3), "similarity": round(one.similarity, 6)}
        for one in tried
    }


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
