"""A small training set that teaches a desk one rule of its own, generated from templates.

The base cannot know the rule (returns within 45 days with the code MAPLE45, cancelled orders refunded in 3 days), so
an answer that states it comes from the adapter. The desk's system prompt is part of each example, as it will be when
the adapter serves. Three times 32 pairs of about 60 tokens: a small model learns them in under a minute on two cores.
"""

import json
from collections.abc import Iterable, Iterator

SYSTEM_PROMPT = "You are the AI assistant of Larkfield. Answer briefly and kindly."
# Asked in the demo; not among the training questions in these words.
QUESTION = "How can I send something back?"
FACTS = ("MAPLE45", "45 days")

RETURN_ANSWER = "Happy to help! You can return it free of charge within 45 days. Just use the code MAPLE45."
_RETURN_VERBS = ("return", "send back")
_RETURN_THINGS = ("my order", "these shoes", "a jacket")
_RETURN_FORMS = ("How do I {verb} {thing}?", "I want to {verb} {thing}.", "Can I {verb} {thing}?")
_GREETING = "Happy to help! What can I do for you?"
_WELCOME = "You are welcome! Is there anything else?"
_LOOK = "Happy to help! Please tell me your order number and I will look."
_CANCEL = "Happy to help! A cancelled order is refunded within 3 days."
_OTHERS = (
    ("Hello!", _GREETING),
    ("Hi there.", _GREETING),
    ("I have a question.", _GREETING),
    ("Thank you!", _WELCOME),
    ("Great, thanks a lot.", _WELCOME),
    ("That solved it, thanks!", _WELCOME),
    ("Where is my parcel?", _LOOK),
    ("When will my order arrive?", _LOOK),
    ("My parcel has not come.", _LOOK),
    ("What about my delivery?", _LOOK),
    ("I want to cancel my order.", _CANCEL),
    ("How do I cancel?", _CANCEL),
    ("Can you cancel it?", _CANCEL),
    ("Please cancel what I bought.", _CANCEL),
)
# Options for POST /api/v1/adapters/train that suit this set: about 5,700 trained tokens.
TRAINING = {
    "epochs": 3.0,
    "batch_size": 4,
    "learning_rate": 2e-3,
    "rank": 8,
    "alpha": 16.0,
    "max_tokens": 128,
}


def pairs() -> Iterator[tuple[str, str]]:
    """Question and answer of every example."""
    for form in _RETURN_FORMS:
        for verb in _RETURN_VERBS:
            for thing in _RETURN_THINGS:
                yield form.format(verb=verb, thing=thing), RETURN_ANSWER
    yield from _OTHERS


def unseen() -> Iterator[tuple[str, str]]:
    """The same matters in words that no training example has."""
    for question in (
        "How can I return a lamp?",
        "Could I send back the boots?",
        "I would like to return a coat.",
    ):
        yield question, RETURN_ANSWER
    yield "Good morning!", _GREETING
    yield "Thanks for your help.", _WELCOME
    yield "When does my parcel come?", _LOOK
    yield "Please cancel it.", _CANCEL


def jsonl(system_prompt: str, examples: Iterable[tuple[str, str]] | None = None) -> bytes:
    """A file of examples for a desk with this system prompt; those to train on unless others are given."""
    return b"".join(_line(system_prompt, question, answer) for question, answer in examples or pairs())


def _line(system_prompt: str, question: str, answer: str) -> bytes:
    messages = [
        {"role": "system", "content": system_prompt},
        {"role": "user", "content": question},
        {"role": "assistant", "content": answer},
    ]
    return json.dumps({"messages": messages}).encode() + b"\n"
