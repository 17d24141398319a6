"""How boosted trees are grown: the settings, and how they follow from the size of a table."""

from __future__ import annotations

import math

from treadle.contracts import Frozen, Layout


class TreeSettings(Frozen):
    """Settings of the trees; names as LightGBM has them where they are LightGBM's.

    most_rounds:     where boosting ends at the latest
    patience_rounds: rounds without a better validation after which more will hardly help
    block_rounds:    rounds between two places where a run can be saved and resumed
    """

    learning_rate: float = 0.02
    num_leaves: int = 31
    min_data_in_leaf: int = 20
    feature_fraction: float = 0.3
    bagging_fraction: float = 0.8
    lambda_l2: float = 0.0
    cat_smooth: float = 50.0
    cat_l2: float = 30.0
    min_data_per_group: int = 200
    max_bin: int = 255
    most_rounds: int = 3000
    patience_rounds: int = 150
    block_rounds: int = 50

    @classmethod
    def for_table(cls, num_rows: int, layout: Layout) -> TreeSettings:
        """Return settings for a train part of `num_rows` rows.

        More rows carry larger trees. Each tree sees three tenths of the columns, but at least
        four, so that it can combine some. Small tables get finer bins, which cost little there.
        """
        num_columns = layout.num_numbers + len(layout.cardinalities)
        return cls(
            num_leaves=_leaves_for(num_rows),
            min_data_in_leaf=max(2, min(20, num_rows // 50)),
            min_data_per_group=max(5, min(200, num_rows // 100)),
            feature_fraction=min(1.0, max(0.3, 4 / max(num_columns, 1))),
            max_bin=1023 if num_rows < FINE_BINS_BELOW_ROWS else 255,
        )

    def parameters(self) -> dict[str, object]:
        """Return LightGBM's own parameters."""
        ours = {"most_rounds", "patience_rounds", "block_rounds"}
        return self.model_dump(exclude=ours) | {"bagging_freq": 1}


FINE_BINS_BELOW_ROWS = 100_000


def _leaves_for(num_rows: int) -> int:
    """Return 7, 15, 31 … 255: about a fifth of the square root of the rows."""
    power = round(math.log2(max(num_rows, 1) ** 0.5 / 5))
    return int(2 ** min(8, max(3, power)) - 1)
