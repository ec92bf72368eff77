"""The candidates of one request: drawn beside each other, or the best that a beam search finds."""

from __future__ import annotations

import queue
import random
from dataclasses import dataclass, field

import torch
from torch import Tensor

from workers.engine.generation.beam import BeamSearch, Node
from workers.engine.generation.checks import check_sampling
from workers.engine.generation.logprobs import tell
from workers.engine.generation.penalties import Penalties, penalized
from workers.engine.generation.request import Generation, Ticket, Vocabulary
from workers.engine.generation.text import Piece, TextStream, Transcript
from workers.engine.protocol import Chunk, EngineError, Sampling, Usage


@dataclass(slots=True)
class Progress:
    """What the scheduler must be told after a step, in this order: `dropped` give their blocks back, each
    child of `forks` (parent, child) shares its parent's, `finished` end. `tokens` were chosen. The text of
    those in `grown` is yet to be told."""

    dropped: list[Generation] = field(default_factory=list)
    forks: list[tuple[Generation, Generation]] = field(default_factory=list)
    finished: list[Generation] = field(default_factory=list)
    grown: list[Generation] = field(default_factory=list)
    tokens: int = 0


class Group:
    """One request. `first` is what the scheduler is given; the others fork from it once its prompt is read.

    `out` carries the chunks of all candidates, of each one last chunk with its finish reason and usage; or an
    exception, and nothing after it.
    """

    def __init__(self, first: Generation) -> None:
        self.first = first
        self.out: queue.SimpleQueue[Chunk | Exception] = queue.SimpleQueue()
        self._open = set(range(first.sampling.n))
        first.group = self

    def put(self, index: int, piece: Piece, reason: str | None = None, usage: Usage | None = None) -> None:
        """Send a piece of a candidate's text; the last one comes with a reason."""
        if index in self._open:
            self.out.put(Chunk(piece.text, piece.tokens, reason, index, piece.logprobs, usage))
            if reason is not None:
                self._open.discard(index)

    def finish(self, reason: str) -> None:
        """End every candidate that has not ended."""
        self.first.ticket.cancelled = True
        for index in sorted(self._open):
            self._finish(index, reason)

    def fail(self, error: Exception) -> None:
        """End with an error."""
        self.first.ticket.cancelled = True
        if self._open:
            self._open.clear()
            self.out.put(error)

    def _finish(self, index: int, reason: str) -> None:
        self.put(index, Piece("", 0, ()), reason, self.first.usage(0))


class Candidates(Group):
    """`Sampling.n` replies, drawn independently of each other."""

    def __init__(self, first: Generation) -> None:
        super().__init__(first)
        self._members: list[Generation] = []

    def takers(self, generation: Generation) -> list[Generation]:
        """Those that take their next token from the generation's row: all, from the prompt's."""
        if self._members:
            return [generation]
        self._members = [generation, *(generation.branch(i) for i in range(1, generation.sampling.n))]
        return self._members

    def _finish(self, index: int, reason: str) -> None:
        if self._members:
            self._members[index].end(reason)
        else:
            super()._finish(index, reason)


class Beams(Group):
    """The best `Sampling.n` replies of a search with `Sampling.beams` beams. Each beam waits, not `ready`,
    until all have their row of a step."""

    def __init__(self, first: Generation) -> None:
        super().__init__(first)
        sampling, vocabulary = first.sampling, first.vocabulary
        endings = 0 if sampling.ignore_end else len(vocabulary.control)
        self._search = BeamSearch(sampling.beams, endings, sampling.length_penalty)
        self._beams = [first]  # in the order of the search's
        self._rows: dict[Generation, Tensor] = {}
        self._stop = [text.encode() for text in sampling.stop if text]

    def receive(self, beam: Generation, row: Tensor, progress: Progress) -> None:
        """A beam's row of logits float32 [vocabulary] has come."""
        self._rows[beam] = row.clone()
        beam.ready = False
        if len(self._rows) < len(self._beams):
            return
        try:
            self._advance(progress)
        except EngineError as error:
            self.fail(error)
            progress.finished += self._beams

    def _advance(self, progress: Progress) -> None:
        logits = torch.stack([self._rows.pop(beam) for beam in self._beams])
        scores = logits.log_softmax(dim=-1)
        for beam, row in zip(self._beams, scores, strict=True):
            beam.adjust(row)
        nodes = self._search.advance(scores, self._ending)
        if self.first.sampling.logprobs is not None and nodes:
            self._tell(logits, nodes)
        progress.tokens += len(self._search.live)
        if self._search.over:
            self._put_out()
            progress.finished += self._beams
        else:
            self._go_on(progress)

    def _ending(self, row: int, token: int) -> str | None:
        beam = self._beams[row]
        reason = beam.ending(token)
        if self._stop and reason != "stop":
            words, length = beam.vocabulary.token_bytes, max(map(len, self._stop))
            tail = b"".join(words[other] for other in [*beam.generated[-length:], token])
            if any(text in tail for text in self._stop):
                return "stop"
        return reason

    def _tell(self, logits: Tensor, nodes: list[Node]) -> None:
        top = self.first.sampling.logprobs or 0
        tokens, rows = [node.token for node in nodes], logits[[node.row for node in nodes]]
        told = tell(rows, tokens, [top] * len(nodes), self.first.vocabulary.token_bytes)
        for node, logprob in zip(nodes, told, strict=True):
            node.logprob = logprob

    def _go_on(self, progress: Progress) -> None:
        """The first continuation of a beam takes its place, others fork from it, beams without one go."""
        grown: list[Generation] = []
        for node in self._search.live:
            parent = self._beams[node.row]
            child = parent.branch(0) if parent in grown else parent
            if child is not parent:
                progress.forks.append((parent, child))
            grown.append(child)
        progress.dropped += [beam for beam in self._beams if beam not in grown]
        for beam, node in zip(grown, self._search.live, strict=True):
            beam.append(node.token)
            beam.ready = True
        self._beams = grown

    def _put_out(self) -> None:
        """The best, of equal texts the better one: others of the same text only where too few differ."""
        wanted, found = self.first.sampling.n, [node for _, node in self._search.found]
        if len(found) < wanted:
            raise EngineError(f"n is {wanted}, but only {len(found)} different replies exist")
        pieces = [(node, self._piece(node)) for node in found]
        texts = [piece.text for _, piece in pieces]
        order = sorted(range(len(pieces)), key=lambda at: texts[at] in texts[:at])[:wanted]
        for index, at in enumerate(sorted(order)):
            node, piece = pieces[at]
            self.put(index, piece, node.reason, self.first.usage(node.length))

    def _piece(self, node: Node) -> Piece:
        vocabulary = self.first.vocabulary
        transcript = Transcript(TextStream(vocabulary.token_bytes), self.first.sampling.stop)
        for each in node.path():
            transcript.push(each.token, each.logprob)
        return transcript.take_rest(node.reason == "stop" and node.token in vocabulary.control)


def open_group(
    ticket: Ticket,
    prompt: list[int],
    sampling: Sampling,
    vocabulary: Vocabulary,
    limit: int,
    adapter: str | None = None,
) -> Candidates | Beams:
    """A request for replies of at most `limit` tokens to `prompt`. Compiles its constraint: not for the
    engine's thread. Raises `EngineError`, naming the field, for a sampling or constraint that cannot be."""
    check_sampling(sampling, vocabulary.size)
    constraint = sampling.constraint
    first = Generation(
        ticket=ticket,
        adapter=adapter,
        prompt=prompt,
        sampling=sampling,
        vocabulary=vocabulary,
        limit=limit,
        seed=random.getrandbits(64) if sampling.seed is None else sampling.seed,
        penalties=Penalties(prompt, sampling) if penalized(sampling) else None,
        matcher=None if constraint is None else vocabulary.constraints.compile(constraint),
    )
    return Beams(first) if sampling.beams > 1 else Candidates(first)
