"""`treadle demo`: a real table that comes with an installed package, from nothing to a report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from treadle.api.fit import fit

if TYPE_CHECKING:
    from treadle.api.run import Run
    from treadle.api.training import Observer


def demo(out: Path, *, observer: Observer | None = None) -> Run:
    """Train on 569 biopsies (breast cancer Wisconsin, with scikit-learn) and return the run."""
    import polars as pl
    from sklearn.datasets import load_breast_cancer

    found = load_breast_cancer()
    names = [str(name).replace(" ", "_") for name in found.feature_names]
    frame = pl.DataFrame(found.data, schema=names).with_columns(
        diagnosis=pl.Series(found.target_names[found.target].tolist())
    )
    return fit(
        frame,
        target="diagnosis",
        positive="malignant",
        until="1 minutes",
        out=str(out),
        overwrite=True,
        observer=observer,
    )
