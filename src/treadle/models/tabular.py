"""A neural network for tables: embedded columns, and an ensemble that shares most of its weights.

Numbers come as normal scores and are embedded by sines and cosines of learned frequencies. All
columns are first mixed by one layer that the K members share; then each member goes its own way
through layers that differ only by scales and biases (BatchEnsemble).

Source: Gorishniy et al., TabM, ICLR 2025, arXiv:2410.24210; On Embeddings for Numerical Features,
NeurIPS 2022, arXiv:2203.05556. Here the first layer is shared as well, because on a CPU a wide
table would spend nearly all of its time there.
"""

from __future__ import annotations

import math

import torch
from rtdl_num_embeddings import PeriodicEmbeddings
from tabm import LinearEnsemble, MLPBackboneBatchEnsemble
from torch import Tensor, nn
from torch.nn import functional

from treadle.contracts import Batch, Layout, LossParts
from treadle.errors import DataError, OptionError
from treadle.models.tabular_settings import TabularSettings


def build(
    layout: Layout, *, num_rows: int, seed: int, settings: TabularSettings | None = None
) -> TabularNetwork:
    """Return a network for tables of this layout, the same for the same seed.

    num_rows: rows of the train part; the size of the network follows from it unless `settings` say.
    The global random generator is left as it was.

    Raises: DataError for a table without columns, OptionError for a task that is not a table's.
    """
    if layout.num_numbers + len(layout.cardinalities) == 0:
        raise DataError("The table has no column to learn from.", "keep at least one column")
    if layout.task not in ("two_classes", "classes", "number"):
        raise OptionError(f"A table's network has no loss for the task {layout.task}.")
    settings = settings or TabularSettings.for_table(num_rows, layout)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return TabularNetwork(layout, settings)


class TabularNetwork(nn.Module):
    """K networks in one, for a batch of rows.

    Input: numbers float32 [B, F], categories of whole numbers [B, C]. Output: [B, K, O].
    target_mean, target_std: where the target of a number was standardised by them, `predict`
    gives values in the target's own unit.
    """

    target_mean: Tensor
    target_std: Tensor

    def __init__(self, layout: Layout, settings: TabularSettings) -> None:
        super().__init__()
        self.layout, self.settings = layout, settings
        self.numbers = _NumberColumns(layout.num_numbers, settings) if layout.num_numbers else None
        self.categories = _CategoryColumns(layout.cardinalities, settings)
        width = self.categories.width + (0 if self.numbers is None else self.numbers.width)
        self.mix = nn.Linear(width, settings.width)
        self.backbone = MLPBackboneBatchEnsemble(
            d_in=settings.width,
            n_blocks=settings.num_blocks,
            d_block=settings.width,
            dropout=settings.dropout,
            k=settings.num_members,
            tabm_init=True,
            scaling_init="normal",
            start_scaling_init_chunks=None,
        )
        self.output = LinearEnsemble(settings.width, layout.num_outputs, k=settings.num_members)
        self.register_buffer("target_mean", torch.zeros(()))
        self.register_buffer("target_std", torch.ones(()))

    def forward(self, batch: Batch) -> Tensor:
        columns = [self.categories(batch["categories"])]  # [B, width of all categories]
        if self.numbers is not None:
            columns.append(self.numbers(batch["numbers"]))  # [B, width of all numbers]
        mixed = self.mix(torch.cat(columns, 1))  # [B, D]
        members = mixed.unsqueeze(1).expand(-1, self.settings.num_members, -1)  # [B, K, D]
        outputs: Tensor = self.output(self.backbone(members))  # [B, K, O]
        return outputs

    def loss(self, outputs: Tensor, batch: Batch) -> LossParts:
        """Return (sum over the rows of the members' mean loss, sum of the weights)."""
        losses = _losses(self.layout, outputs, batch["target"]).mean(1)  # [B]
        weight = batch.get("weight")
        if weight is None:
            return losses.sum(), losses.new_tensor(float(len(losses)))
        return (losses * weight).sum(), weight.sum()

    def predict(self, outputs: Tensor) -> Tensor:
        """Return the members' mean: probabilities [B, 2 or O], or values [B] in the own unit."""
        if self.layout.task == "number":
            return outputs[..., 0].mean(1) * self.target_std + self.target_mean
        if self.layout.task == "classes":
            return outputs.softmax(-1).mean(1)
        positive = outputs[..., 0]  # [B, K]
        return torch.stack([(-positive).sigmoid().mean(1), positive.sigmoid().mean(1)], 1)

    def set_target_scale(self, mean: float, std: float) -> None:
        """Say by what the target of a number was standardised."""
        self.target_mean.fill_(mean)
        self.target_std.fill_(std)


class _NumberColumns(nn.Module):
    """Periodic embeddings of normal scores: [B, F] → [B, F · D].

    The frequencies start spread evenly over magnitudes: low ones see trends, high ones single
    values that stand out, such as a round amount.
    """

    def __init__(self, num_columns: int, settings: TabularSettings) -> None:
        super().__init__()
        self.embed = PeriodicEmbeddings(
            num_columns, settings.number_width, n_frequencies=settings.num_frequencies, lite=False
        )
        low, high = math.log(LOWEST_FREQUENCY), math.log(settings.highest_frequency)
        with torch.no_grad():
            self.embed.periodic.weight.uniform_(low, high).exp_()
        self.width = num_columns * settings.number_width

    def forward(self, numbers: Tensor) -> Tensor:
        embedded: Tensor = self.embed(numbers)  # [B, F, D]
        return embedded.flatten(1)


class _CategoryColumns(nn.Module):
    """Learned embeddings, wider for columns of more values: [B, C] → [B, sum of the widths]."""

    def __init__(self, cardinalities: tuple[int, ...], settings: TabularSettings) -> None:
        super().__init__()
        widths = [settings.category_width(cardinality) for cardinality in cardinalities]
        self.embed = nn.ModuleList(map(nn.Embedding, cardinalities, widths))
        for table in self.embed:
            assert isinstance(table, nn.Embedding)
            nn.init.normal_(table.weight, std=table.embedding_dim**-0.5)
        self.width = sum(widths)

    def forward(self, categories: Tensor) -> Tensor:
        if not self.embed:
            return torch.zeros((len(categories), 0), device=categories.device)
        codes = categories.long()  # kept narrow in memory; a look-up wants them wide
        return torch.cat([table(codes[:, c]) for c, table in enumerate(self.embed)], 1)


def parameter_groups(module: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Return AdamW's groups: weight decay for the weights of layers alone.

    Biases, embeddings and the members' scales are left alone; they are few or seldom seen.
    """
    decayed: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    embedded = {
        id(parameter)
        for part in module.modules()
        if isinstance(part, nn.Embedding | PeriodicEmbeddings)
        for parameter in part.parameters()
    }
    for name, parameter in module.named_parameters():
        is_layer = name.endswith("weight") and id(parameter) not in embedded
        (decayed if is_layer else others).append(parameter)
    return [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]


def _losses(layout: Layout, outputs: Tensor, target: Tensor) -> Tensor:
    """Return the loss of each row and member, [B, K]."""
    batch, members, _ = outputs.shape
    target = target.unsqueeze(1).expand(batch, members)
    if layout.task == "classes":
        return functional.cross_entropy(outputs.transpose(1, 2), target, reduction="none")
    values = outputs[..., 0]
    if layout.task == "two_classes":
        return functional.binary_cross_entropy_with_logits(values, target, reduction="none")
    return functional.mse_loss(values, target, reduction="none")


LOWEST_FREQUENCY = 0.02
