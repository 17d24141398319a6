"""How the network for tables is built and trained, and how that follows from the table's size."""

from __future__ import annotations

import math

from pydantic import Field

from treadle.contracts import Frozen, Layout


class TabularSettings(Frozen):
    """Settings of the network and of its training.

    num_members:  K, networks that share most weights
    width:        D of every hidden layer; num_blocks: hidden layers behind the mixing layer
    num_frequencies, highest_frequency, number_width: of the periodic embedding of each number
    most_category_width: of the embedding of a category; columns of few values get less
    most_epochs:  what the schedule is laid out for
    """

    num_members: int = Field(default=16, ge=1, le=1_024)
    width: int = Field(default=128, ge=1, le=16_384)
    num_blocks: int = Field(default=2, ge=0, le=256)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    num_frequencies: int = Field(default=32, ge=1, le=1_024)
    highest_frequency: float = 16.0
    number_width: int = Field(default=16, ge=1, le=1_024)
    most_category_width: int = Field(default=16, ge=1, le=1_024)
    learning_rate: float = 5e-3
    weight_decay: float = 3e-4
    batch_size: int = 256
    most_epochs: int = 16
    patience_epochs: int = 8

    @classmethod
    def for_table(cls, num_rows: int, layout: Layout) -> TabularSettings:
        """Return settings for a train part of `num_rows` rows.

        Wide tables get narrower embeddings and a wider hidden layer, long ones fewer members,
        larger batches and few epochs: what such a network sees twice it begins to know by heart.
        There are never more epochs than two ordinary cores do in about four minutes.
        """
        num_columns = layout.num_numbers + len(layout.cardinalities)
        is_wide = num_columns > WIDE_FROM_COLUMNS
        width = 192 if is_wide else 128
        settings = cls(
            num_members=16 if num_rows < LONG_FROM_ROWS else 8,
            width=width,
            num_frequencies=12 if is_wide else 32,
            highest_frequency=_highest_frequency(num_rows),
            number_width=8 if is_wide else 16,
            learning_rate=5e-3 * math.sqrt(128 / width),
            batch_size=_batch_size(num_rows),
        )
        epochs = OPERATIONS_IN_ALL / (settings.operations_a_row(layout) * max(num_rows, 1))
        wanted = min(100, max(2, ROWS_SEEN_IN_ALL // max(num_rows, 1)))
        return settings.model_copy(update={"most_epochs": min(wanted, max(2, int(epochs)))})

    def category_width(self, cardinality: int) -> int:
        """Return the width of the embedding of a column with so many codes."""
        return max(2, min(self.most_category_width, round(1.6 * math.pow(cardinality, 0.4))))

    def operations_a_row(self, layout: Layout) -> int:
        """Return about how many multiplications and additions training on one row takes."""
        embedded = layout.num_numbers * self.number_width
        embedding = 2 * self.num_frequencies * embedded
        embedded += sum(map(self.category_width, layout.cardinalities))
        hidden = self.num_members * self.width * (self.num_blocks * self.width + layout.num_outputs)
        forward_and_backward = 6
        return forward_and_backward * (embedding + embedded * self.width + hidden)


WIDE_FROM_COLUMNS = 60
LONG_FROM_ROWS = 100_000
ROWS_SEEN_IN_ALL = 600_000
OPERATIONS_IN_ALL = 1.1e13  # about 45 thousand million a second on two cores, for four minutes


def _batch_size(num_rows: int) -> int:
    """Return 32 for small tables, so that an epoch has some steps, and up to 512 for long ones."""
    if num_rows >= LONG_FROM_ROWS:
        return 512
    return int(min(256, max(32, 2 ** round(math.log2(max(num_rows, 1) / 32)))))


def _highest_frequency(num_rows: int) -> float:
    """Return up to 16 from 30,000 rows on, less below: few rows cannot pin down fast waves."""
    return 16.0 * math.pow(min(1.0, max(0.05, num_rows / 30_000)), 1.5)
