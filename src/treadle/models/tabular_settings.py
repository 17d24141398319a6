"""How the network for tables is built and trained, and how that follows from the table's size."""

from __future__ import annotations

from treadle.contracts import Frozen, Layout


class TabularSettings(Frozen):
    """Settings of the network and of its training.

    num_members:  K, networks that share most weights
    width:        D of every hidden layer; num_blocks: hidden layers behind the mixing layer
    num_frequencies, highest_frequency, number_width: of the periodic embedding of each number
    most_category_width: columns of few values get less
    """

    num_members: int = 16
    width: int = 256
    num_blocks: int = 2
    dropout: float = 0.1
    num_frequencies: int = 16
    highest_frequency: float = 8.0
    number_width: int = 8
    most_category_width: int = 16
    learning_rate: float = 2e-3
    weight_decay: float = 3e-4
    batch_size: int = 256
    most_epochs: int = 50
    patience_epochs: int = 8

    @classmethod
    def for_table(cls, num_rows: int, layout: Layout) -> TabularSettings:
        """Return settings for a train part of `num_rows` rows."""
        return cls()

    def category_width(self, cardinality: int) -> int:
        """Return the width of the embedding of a column with so many codes."""
        return max(2, min(self.most_category_width, round(1.6 * cardinality**0.4)))
