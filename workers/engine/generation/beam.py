"""Beam search, as `transformers` defines it (GenerationMixin._beam_search, early_stopping=False). Pure
logic: scores in, continuations out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from workers.engine.protocol import TokenLogprob


@dataclass(slots=True, eq=False)
class Node:
    """A token of a beam. `row` is the row of scores it was chosen from, `total` the sum of the
    log-probabilities up to it, `reason` why the beam ends here, if it does."""

    before: Node | None
    row: int
    token: int
    total: float
    length: int
    reason: str | None
    logprob: TokenLogprob | None = None

    def path(self) -> list[Node]:
        """The beam's tokens, from the first."""
        nodes: list[Node] = []
        node: Node | None = self
        while node is not None:
            nodes.append(node)
            node = node.before
        return nodes[::-1]


class BeamSearch:
    """Keeps the `beams` likeliest unfinished beams (`live`, best first) and the best finished ones (`found`,
    best first: score = total / length ** `length_penalty`).

    `endings` is how many tokens may end a beam: so many more continuations are looked at, lest too few go on.
    """

    def __init__(self, beams: int, endings: int, length_penalty: float) -> None:
        self._beams, self._looked_at = beams, beams * max(2, 1 + endings)
        self._length_penalty = length_penalty
        self.live: list[Node] = []
        self.found: list[tuple[float, Node]] = []
        self.over = False

    def advance(self, scores: Tensor, ending: Callable[[int, int], str | None]) -> list[Node]:
        """scores float32 [live beams, vocabulary], log-probabilities of the next token (one row, the
        prompt's, at first; -inf where none may follow) -> this step's new nodes.

        `ending(row, token)` says why a beam would end with a token. Then `live` are the beams that go on.
        """
        parents: list[Node | None] = [*self.live] or [None]
        if self.live:
            scores = scores + scores.new_tensor([node.total for node in self.live])[:, None]
        totals, places = scores.flatten().topk(min(self._looked_at, scores.numel()))
        nodes: list[Node] = []
        going_on: list[Node] = []
        for total, place in zip(totals.tolist(), places.tolist(), strict=True):
            if total == -float("inf") or len(going_on) == self._beams:
                break
            row, token = divmod(place, scores.shape[1])
            before = parents[row]
            length = 1 if before is None else before.length + 1
            node = Node(before, row, token, total, length, ending(row, token))
            if node.reason is None:
                going_on.append(node)
            elif len(nodes) < self._beams:
                self.found.append((self._score(node), node))
            nodes.append(node)
        self.live = going_on
        self.found = sorted(self.found, key=lambda pair: -pair[0])[: self._beams]
        self.over = not self.live or not self._can_improve()
        return nodes

    def _can_improve(self) -> bool:
        """Whether the best live beam, as if it ended here, would be among the best."""
        if len(self.found) < self._beams:
            return True
        return self._score(self.live[0]) > self.found[-1][0]

    def _score(self, node: Node) -> float:
        return node.total / float(node.length**self._length_penalty)
