"""The network: tabular encoder, two-sided GRU and a temporal graph network, fused by a small head.

Graph part: TransformerConv (Shi et al. 2021, arXiv:2009.03509, PyG's) with the events as edge features and a
functional time encoding (Xu et al. 2020, TGAT, arXiv:2002.07962). Attention averages and so cannot count,
hence sum and max pooling over the events beside it. Tabular part: piecewise linear encoding of each feature
at training quantiles (Gorishniy et al. 2022, arXiv:2203.05556), which gives a smooth network sharp thresholds.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch_geometric.nn import TransformerConv

from models_zoo.fraud.events import Floats
from models_zoo.fraud.features import NAMES, tabular
from models_zoo.fraud.graph import EVENT_INPUTS, NODE_INPUTS, Graph, event_inputs, graph
from models_zoo.fraud.history import Neighbourhood

PARTS = ("tabular", "sequence", "graph")
BINS = 12
AGE_COLUMN = 2


@dataclass(slots=True, frozen=True)
class Inputs:
    """Tensors of B payments: features [B, F], events [2, B, K, EVENT_INPUTS], and the graph's arrays."""

    features: Tensor
    events: Tensor
    nodes: Tensor
    source: Tensor
    target: Tensor
    edge: Tensor

    @staticmethod
    def of(near: Neighbourhood) -> Inputs:
        """Inputs of a neighbourhood, on the CPU."""
        return Inputs.made(tabular(near), event_inputs(near), graph(near))

    @staticmethod
    def made(features: Floats, events: Floats, links: Graph) -> Inputs:
        """Inputs from arrays computed before."""
        arrays = (features, events, links.nodes, links.source, links.target, links.edge)
        return Inputs(*(torch.from_numpy(array) for array in arrays))


class PiecewiseLinear(nn.Module):
    """Each feature [B, F] as how far it reached through each of its BINS quantile bins: [B, F * BINS]."""

    edges: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer("edges", torch.zeros(features, BINS + 1))

    def fit(self, features: Tensor) -> None:
        """Bin edges from training rows [N, F]; duplicates of a repeated value leave bins of no width."""
        quantiles = torch.linspace(0, 1, BINS + 1)
        self.edges.copy_(torch.quantile(features, quantiles, dim=0).T)

    def forward(self, features: Tensor) -> Tensor:
        low, high = self.edges[:, :-1], self.edges[:, 1:]
        reached = (features[:, :, None] - low) / (high - low).clamp_min(1e-6)
        return reached.clamp(0, 1).flatten(1)


class TabularEncoder(nn.Module):
    """Features [B, F] -> [B, width]."""

    mean: Tensor
    scale: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        count = len(NAMES)
        self.bins = PiecewiseLinear(count)
        self.register_buffer("mean", torch.zeros(count))
        self.register_buffer("scale", torch.ones(count))
        self.layers = nn.Sequential(
            nn.Linear(count * (BINS + 1), 96), nn.ReLU(), nn.Dropout(0.15), nn.Linear(96, width), nn.ReLU()
        )

    def fit(self, features: Tensor) -> None:
        """Quantiles and standardisation from training rows [N, F]."""
        self.bins.fit(features)
        self.mean.copy_(features.mean(0))
        self.scale.copy_(features.std(0).clamp_min(1e-3))

    def forward(self, features: Tensor) -> Tensor:
        plain = ((features - self.mean) / self.scale).clamp(-5, 5)
        encoded: Tensor = self.layers(torch.cat([self.bins(features), plain], 1))
        return encoded


class SequenceEncoder(nn.Module):
    """One GRU over the events of each side, oldest first: events [2, B, K, E] -> [B, width]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.payer = nn.GRU(EVENT_INPUTS, width // 2, batch_first=True)
        self.payee = nn.GRU(EVENT_INPUTS, width // 2, batch_first=True)

    def forward(self, events: Tensor) -> Tensor:
        last = [gru(side)[1][0] for gru, side in zip((self.payer, self.payee), events, strict=True)]
        return torch.cat(last, 1)


class TimeEncoding(nn.Module):
    """Log age [E] -> cos(frequency * age + phase) [E, width], frequencies learned."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.frequency = nn.Parameter(torch.logspace(-0.5, 1.5, width))
        self.phase = nn.Parameter(torch.zeros(width))

    def forward(self, age: Tensor) -> Tensor:
        return torch.cos(age[:, None] * self.frequency + self.phase)


class GraphEncoder(nn.Module):
    """Two rounds of messages between both accounts and their counterparties -> [B, width] at the accounts."""

    def __init__(self, width: int, hidden: int = 24) -> None:
        super().__init__()
        self.time = TimeEncoding(8)
        self.node = nn.Linear(NODE_INPUTS, hidden)
        self.event = nn.Sequential(nn.Linear(EVENT_INPUTS + 8, hidden), nn.ReLU(), nn.Linear(hidden, hidden))
        self.reverse = nn.Parameter(torch.zeros(hidden))
        self.first = TransformerConv(hidden, hidden // 2, heads=2, edge_dim=hidden)
        self.second = TransformerConv(hidden, hidden // 2, heads=2, edge_dim=hidden)
        self.out = nn.Linear(8 * hidden, width)

    def forward(self, given: Inputs) -> Tensor:
        size = given.features.shape[0]
        raw = given.events.flatten(0, 2)[given.edge]
        event = self.event(torch.cat([raw, self.time(raw[:, AGE_COLUMN])], 1))
        links = torch.stack(
            [torch.cat([given.source, given.target]), torch.cat([given.target, given.source])]
        )
        both = torch.cat([event, event + self.reverse])
        nodes = torch.relu(self.node(given.nodes))
        nodes = nodes + torch.relu(self.first(nodes, links, both))
        seen = torch.relu(event + nodes[given.source])
        nodes = nodes + torch.relu(self.second(nodes, links, both))
        pooled = torch.cat([nodes[: 2 * size], *self._pool(seen, given.target, 2 * size)], 1)
        encoded: Tensor = torch.relu(self.out(torch.cat([pooled[:size], pooled[size:]], 1)))
        return encoded

    def _pool(self, seen: Tensor, target: Tensor, count: int) -> list[Tensor]:
        """Sum (log scale), max and latest-weighted sum of the events [E, hidden] at each of `count` accounts."""
        zero = seen.new_zeros(count, seen.shape[1])
        index = target[:, None].expand_as(seen)
        total = torch.log1p(zero.scatter_add(0, index, seen))
        most = zero.scatter_reduce(0, index, seen, "amax", include_self=True)
        mean = zero.scatter_reduce(0, index, seen, "mean", include_self=False)
        return [total, most, mean]


class FraudNet(nn.Module):
    """Logit of fraud [B] from the three parts; `reference` [3, width] is each part's mean on genuine payments,
    `typical` [F] the median features of one."""

    reference: Tensor
    platt: Tensor
    typical: Tensor

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.width = width
        self.tabular = TabularEncoder(width)
        self.sequence = SequenceEncoder(width)
        self.graph = GraphEncoder(width)
        self.head = nn.Sequential(nn.Linear(3 * width, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 1))
        self.side_heads = nn.ModuleList(nn.Linear(width, 1) for _ in PARTS)
        self.register_buffer("reference", torch.zeros(len(PARTS), width))
        self.register_buffer("platt", torch.tensor([1.0, 0.0]))
        self.register_buffer("typical", torch.zeros(len(NAMES)))

    def parts(self, given: Inputs) -> Tensor:
        """The three encodings [B, 3, width]."""
        return torch.stack([self.tabular(given.features), self.sequence(given.events), self.graph(given)], 1)

    def fuse(self, parts: Tensor) -> Tensor:
        """Raw logit [B] of encodings [B, 3, width]."""
        logit: Tensor = self.head(parts.flatten(1)).squeeze(1)
        return logit

    def side_logits(self, parts: Tensor) -> Tensor:
        """What each part would say alone [B, 3]; trained along so that no part idles behind another."""
        return torch.cat([head(parts[:, place]) for place, head in enumerate(self.side_heads)], 1)

    def calibrated(self, logit: Tensor) -> Tensor:
        """Logit after Platt scaling, fitted on the validation days at their real fraud rate."""
        return logit * self.platt[0] + self.platt[1]

    def contributions(self, parts: Tensor) -> Tensor:
        """Shapley values [B, 3] of the parts on the calibrated logit, the others held at `reference`.

        Exact: all eight coalitions go through the head alone. They add up to the logit minus the reference's.
        """
        coalitions = list(itertools.product((0.0, 1.0), repeat=len(PARTS)))
        mask = parts.new_tensor(coalitions)[:, None, :, None]
        mixed = mask * parts + (1 - mask) * self.reference
        worth = self.calibrated(self.fuse(mixed.flatten(0, 1))).view(len(coalitions), -1)
        weights = parts.new_tensor(
            [[_weight(coalition, part) for part in range(3)] for coalition in coalitions]
        )
        return worth.T @ weights


def _weight(coalition: tuple[float, ...], part: int) -> float:
    """Shapley weight of a coalition's worth for a part (three players): + if it is in, - if it is not."""
    others = sum(coalition) - coalition[part]
    size = {0: 1 / 3, 1: 1 / 6, 2: 1 / 3}[int(others)]
    return size if coalition[part] else -size
