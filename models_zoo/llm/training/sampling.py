"""What the state so far answers: greedy, one question after the other, by what is being trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models_zoo.llm.card import ModelError
from models_zoo.llm.tokenizer import ChatTokenizer

if TYPE_CHECKING:
    from models_zoo.llm.training.roles import Speaker

MOST_PROMPTS = 4
MOST_TOKENS = 48  # of an answer


class Sampler:
    """Answers to the same questions at any time. Raises `ModelError` for one that is too long, naming it."""

    def __init__(self, student: Speaker, tokenizer: ChatTokenizer, prompts: tuple[str, ...]) -> None:
        self._student, self._tokenizer = student, tokenizer
        self._prompts = [tokenizer.chat([{"role": "user", "content": prompt}]) for prompt in prompts]
        room = student.context - MOST_TOKENS
        for number, ids in enumerate(self._prompts, start=1):
            if len(ids) > room:
                raise ModelError(
                    f"spec: sample_prompts: number {number} has {len(ids)} tokens, expected at most {room}"
                )

    def answers(self) -> list[str]:
        """One for each question, cut off at `MOST_TOKENS`. Draws nothing at random."""
        self._student.train(False)
        found = [self._tokenizer.decode(self._student.greedy(ids, MOST_TOKENS)) for ids in self._prompts]
        self._student.train(True)
        return [text.replace("\0", "\ufffd") for text in found]  # which no database takes
