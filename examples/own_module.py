"""Your own module: 1,797 handwritten digits from scikit-learn, and a network of three lines.

    python examples/own_module.py

The module, the loss and the optimizer are yours; Treadle turns the loop, watches the validation
part, keeps the best weights and leaves a run that can be resumed.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import torch
from sklearn.datasets import load_digits

import treadle

FLOOR = 0.93  # of 297 digits held back
CEILING = 0.998  # a network this small that never errs has seen the answers


def digits() -> tuple[torch.Tensor, torch.Tensor]:
    """Return images float32 [N, 64] between 0 and 1, and digits int64 [N], well mixed."""
    found = load_digits()
    order = torch.randperm(len(found.target), generator=torch.Generator().manual_seed(0))
    images = torch.tensor(found.data, dtype=torch.float32) / 16
    return images[order], torch.tensor(found.target)[order]


def main(out: Path) -> float:
    images, answers = digits()
    module = torch.nn.Sequential(
        torch.nn.Linear(64, 128), torch.nn.GELU(), torch.nn.Linear(128, 10)
    )
    run = treadle.fit(
        module,
        (images[:1200], answers[:1200]),
        validation=(images[1200:1500], answers[1200:1500]),
        loss="cross_entropy",
        optimizer=lambda parameters: torch.optim.AdamW(parameters, lr=3e-3),
        metrics=["accuracy"],
        metric="accuracy",
        until="40 epochs or no better for 8",
        batch_size=64,
        out=out,
    )
    with torch.no_grad():
        right = (module(images[1500:]).argmax(dim=1) == answers[1500:]).float().mean().item()
    print(f"right for {right:.1%} of {len(answers) - 1500} digits never seen before")
    print(run.journal[-1]["sentence"])
    return right


if __name__ == "__main__":
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        right = main(Path(sys.argv[1] if len(sys.argv) > 1 else folder) / "run")
    if not FLOOR < right < CEILING:
        sys.exit(f"accuracy is {right:.3f}; between {FLOOR} and {CEILING} was expected.")
