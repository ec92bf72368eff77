"""The temporal graph expert: a payment's own small graph, two rounds of messages, sum and max pooling.

Nodes are payer, payee, device and merchant (anchors) and everybody they dealt with lately; edges are their events,
both ways. After two rounds an anchor knows of what its counterparties did with the other anchors: two hops, within
the windows that were read. Sum and max, because attention averages and cannot count; edge features carry time
encoding, port numbers and binned amounts.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch_geometric.nn import MessagePassing

from models_zoo.fraud.experts.events import EventEmbedding, PaymentEmbedding
from models_zoo.fraud.experts.inputs import ANCHORS, Inputs


class EventConv(MessagePassing):  # type: ignore[misc]
    """Nodes [N, width] with edges' embeddings [E, width] and whether each counts [E, 1] -> nodes [N, width].

    Messages are not negative, so one that does not count (0) changes neither sum nor max.
    """

    def __init__(self, width: int) -> None:
        super().__init__(aggr=["sum", "max"])
        self.sender = nn.Linear(width, width)
        self.merge = nn.Linear(3 * width, width)

    def forward(self, nodes: Tensor, links: Tensor, edge: Tensor, counts: Tensor) -> Tensor:
        found = self.propagate(links, x=self.sender(nodes), edge=edge, counts=counts, size=None)
        total, most = found.chunk(2, -1)
        merged: Tensor = torch.relu(self.merge(torch.cat([nodes, torch.log1p(total), most], -1)))
        return nodes + merged

    def message(self, x_j: Tensor, edge: Tensor, counts: Tensor) -> Tensor:
        """What one event says of the node at its other end."""
        return torch.relu(x_j + edge) * counts


class GraphExpert(nn.Module):
    """Inputs -> encoding [B, width] and raw logit [B]."""

    def __init__(self, width: int = 24, out: int = 32, hops: int = 2) -> None:
        super().__init__()
        self.events = EventEmbedding(width)
        self.payment = PaymentEmbedding(width)
        self.anchor = nn.Parameter(torch.randn(ANCHORS, width) * 0.1)
        self.back = nn.Parameter(torch.zeros(width))
        self.rounds = nn.ModuleList(EventConv(width) for _ in range(hops))
        self.out = nn.Linear((ANCHORS + 1) * width, out)
        self.head = nn.Linear(out, 1)

    def forward(self, given: Inputs, whole: bool = False) -> tuple[Tensor, Tensor]:
        """`whole` keeps empty places as edges that do not count: shapes then do not depend on the payments."""
        size, anchors, events = given.present.shape
        count = anchors + anchors * events
        embedded, payment = self.events(given), self.payment(given)
        starts = torch.arange(size, device=payment.device) * count
        anchor = (starts[:, None] + torch.arange(anchors, device=payment.device))[:, :, None]
        links = torch.stack(
            [given.node.long() + starts[:, None, None], anchor.expand(-1, -1, events)]
        ).flatten(1)
        edge, counts = embedded.flatten(0, 2), given.present.flatten()[:, None].to(embedded.dtype)
        if not whole:
            there = given.present.flatten().nonzero().squeeze(1)
            links, edge, counts = links[:, there], edge[there], counts[there]
        nodes = payment.new_zeros(size, count, payment.shape[1])
        nodes[:, :anchors] = self.anchor + payment[:, None]
        nodes = nodes.flatten(0, 1)
        both = torch.cat([links, links.flip(0)], 1)
        edges, all_counts = torch.cat([edge, edge + self.back]), torch.cat([counts, counts])
        for one in self.rounds:
            nodes = one(nodes, both, edges, all_counts)
        ends = nodes.view(size, count, -1)[:, :anchors].flatten(1)
        encoding = torch.relu(self.out(torch.cat([ends, payment], 1)))
        return encoding, self.head(encoding).squeeze(1)
