"""Does the recommender beat each simple way? Five global time cuts over one log of events.

    python benchmarks/quality/recommender.py events.csv            about three minutes a cut
    python benchmarks/quality/recommender.py events.csv --cuts 0.9 --seed 1

For each cut: what lies before it is train (the last tenth of it validation), what lies after is
test. The baselines get their best settings on validation and are fitted again on all before the
cut; the network is trained on the train part alone and stopped on validation. `ranking.py` says
what a case is. Every scorer sees the same cases, histories and catalogue, and the test part is
scored once for each.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from treadle.contracts import Cursor
from treadle.data.batches import TensorSource
from treadle.data.events import EncodedLog, EventEncoder, EventLog
from treadle.data.events_windows import following_cases, moment_cases, training_windows
from treadle.data.read import read_tables
from treadle.models.baseline_choice import BASELINES, choose
from treadle.models.item_baselines import Ease
from treadle.models.ranking import Cases, Scorer, paired_interval, ranking_metrics
from treadle.models.recommender import Recommender, RecommenderConfig
from treadle.models.recommender_blend import BLEND_REGULARIZATION, RecommenderBlend

CUTS = (0.5, 0.6, 0.7, 0.8, 0.9)
VALIDATION_SHARE = 0.1
EPOCHS = 20
LEARNING_RATE = 2e-3
VALIDATE_EVERY_EPOCHS = 4


class Cut(NamedTuple):
    """One cut: what may be learned from, and the cases on either side of it."""

    known: EncodedLog  # all before the cut
    train: EncodedLog  # all before validation
    validation: Cases
    test: Cases
    test_following: Cases
    num_items: int


def cut_log(log: EventLog, share: float) -> Cut:
    """Part the log at the time before which `share` of its events lie."""
    at = log.time_after(share)
    past = log.before(at)
    validation_at = past.time_after(1 - VALIDATION_SHARE)
    encoder = EventEncoder.fit(past)
    everything = encoder.encode(log)
    known = everything.before(at)
    validation, _ = moment_cases(known, validation_at)
    test, notes = moment_cases(everything, at)
    print(f"\ncut at {share:.0%}: {len(known.items):,} events before it. {' '.join(notes)}")
    return Cut(
        known,
        known.before(validation_at),
        Cases(**validation),
        Cases(**test),
        Cases(**following_cases(everything, at)),
        len(encoder.items),
    )


def train_network(cut: Cut, seed: int) -> Recommender:
    """Train with AdamW, warm-up and cosine; give back the weights best on validation."""
    torch.manual_seed(seed)
    network = Recommender(RecommenderConfig.for_catalogue(cut.num_items, seed=seed))
    network.begin_with(torch.bincount(cut.train.items - 1, minlength=cut.num_items).float())
    windows = training_windows(cut.train, network.config.history_length)
    source = TensorSource(windows, batch_size=64, seed=seed, with_epoch=True)
    steps = EPOCHS * source.steps_per_epoch
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.05
    )
    cosine = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: (
            min(1.0, (step + 1) / 50)
            * (0.05 + 0.95 * (1 + torch.tensor(torch.pi * step / steps).cos().item()) / 2)
        ),
    )
    best, kept = -1.0, network.state_dict()
    for batch, after in source.batches(Cursor(0, 0)):
        total, weight = network.loss(network(batch), batch)
        optimizer.zero_grad()
        (total / weight).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        cosine.step()
        if after.position == 0 and after.epoch % VALIDATE_EVERY_EPOCHS == 0:
            reached = float(ranking_metrics(network, cut.validation)["ndcg@10"].mean())
            print(f"  epoch {after.epoch}: validation NDCG@10 {reached:.4f}", flush=True)
            if reached > best:
                best, kept = reached, {n: t.clone() for n, t in network.state_dict().items()}
        if after.epoch == EPOCHS:
            break
    network.load_state_dict(kept)
    return network.eval()


def scorers(cut: Cut, seed: int) -> dict[str, Scorer]:
    """Return our recommender and its rivals, ready for the test part."""
    on_train, on_known = {}, {}
    for name, fit in BASELINES.items():
        parts = [(log.items, log.times, log.users, cut.num_items) for log in (cut.train, cut.known)]
        chosen = choose(name, *parts[0], cut.validation, seed=seed)
        print(f"  {name}: {chosen.settings}, validation NDCG@10 {chosen.ndcg:.4f}", flush=True)
        on_train[name], on_known[name] = (fit(*part, **chosen.settings) for part in parts)
    network = train_network(cut, seed)

    def tables(log: EncodedLog, fitted: dict[str, Scorer]) -> list[Scorer]:
        flat = (log.items, log.times, log.users, cut.num_items)
        ease = Ease.fit(*flat, regularization=BLEND_REGULARIZATION)
        return [fitted["decayed transitions"], ease, fitted["recent popularity"]]

    blend = RecommenderBlend(network, *tables(cut.train, on_train))
    print(f"  blend: {blend.fit_weights(cut.validation, seed=seed).weights}", flush=True)
    honest = blend.cross_fitted_ndcg(cut.validation, seed=seed).mean()
    print(f"  treadle: validation NDCG@10 {honest:.4f}, weights cross-fitted", flush=True)
    served = blend.refitted(*tables(cut.known, on_known))
    return {"treadle": served, "network alone": network, **on_known}


def report(name: str, ours: Tensor, theirs: Tensor, users: Tensor, seed: int) -> None:
    """Print a paired difference with its interval over cases and over users."""
    mean, low, high = paired_interval(ours - theirs, seed=seed)
    _, user_low, user_high = paired_interval(ours - theirs, users, seed=seed)
    print(
        f"  treadle − {name:<20} {mean:+.4f}  cases [{low:+.4f}, {high:+.4f}]"
        f"  users [{user_low:+.4f}, {user_high:+.4f}]",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("events", type=Path)
    parser.add_argument("--cuts", type=float, nargs="+", default=CUTS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    log = EventLog.of(read_tables([options.events]).frame)
    pooled: dict[str, list[Tensor]] = {}
    users: list[Tensor] = []
    for share in options.cuts:
        began = time.monotonic()
        cut = cut_log(log, share)
        users.append(cut.test.group)
        cut_ndcg = {}
        for name, scorer in scorers(cut, options.seed).items():
            measured = ranking_metrics(scorer, cut.test, seed=options.seed)
            later = ranking_metrics(scorer, cut.test_following, seed=options.seed)["ndcg@10"]
            print(
                f"  {name:<20} "
                + "  ".join(f"{metric} {value.mean():.4f}" for metric, value in measured.items())
                + f"  | all that follows: ndcg@10 {later.mean():.4f}",
                flush=True,
            )
            cut_ndcg[name] = measured["ndcg@10"]
            pooled.setdefault(name, []).append(measured["ndcg@10"])
        for name in BASELINES:
            report(name, cut_ndcg["treadle"], cut_ndcg[name], cut.test.group, options.seed)
        print(f"  {len(cut.test.start):,} cases, {time.monotonic() - began:.0f} s", flush=True)
    print("\nall cuts together")
    ours = torch.cat(pooled["treadle"])
    for name, values in pooled.items():
        print(f"  {name:<20} ndcg@10 {torch.cat(values).mean():.4f}")
    for name in BASELINES:
        report(name, ours, torch.cat(pooled[name]), torch.cat(users), options.seed)


if __name__ == "__main__":
    main()
