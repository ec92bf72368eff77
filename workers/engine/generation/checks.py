"""What a sampling may say."""

from __future__ import annotations

from workers.engine.protocol import EngineError, Sampling

MOST_CANDIDATES = 16  # of a request, and beams
MOST_LOGPROBS = 100
MOST_BIAS = 1000
RANGES: dict[str, tuple[float, float]] = {
    "max_tokens": (1, 2**31),
    "temperature": (0, 100),
    "top_p": (0, 1),
    "top_k": (0, 2**31),
    "min_p": (0, 1),
    "repetition_penalty": (0.01, 100),
    "presence_penalty": (-100, 100),
    "frequency_penalty": (-100, 100),
    "n": (1, MOST_CANDIDATES),
    "beams": (1, MOST_CANDIDATES),
    "length_penalty": (-10, 10),
}
_GREEDY = Sampling()


def check_sampling(sampling: Sampling, vocabulary: int) -> None:
    """Raise `EngineError`, naming the field, for a value out of range."""
    for name, (least, most) in RANGES.items():
        value = getattr(sampling, name)
        if not least <= value <= most:
            raise EngineError(f"{name} is {value}, expected {least} to {most}")
    if sampling.logprobs is not None and not 0 <= sampling.logprobs <= MOST_LOGPROBS:
        raise EngineError(f"logprobs is {sampling.logprobs}, expected 0 to {MOST_LOGPROBS}")
    for token, bias in sampling.logit_bias.items():
        if not 0 <= token < vocabulary:
            raise EngineError(f"logit_bias names token {token}, there are {vocabulary}")
        if not abs(bias) <= MOST_BIAS:
            raise EngineError(f"logit_bias of token {token} is {bias}, expected {-MOST_BIAS} to {MOST_BIAS}")
    if sampling.beams > 1:
        _check_beams(sampling)


def _check_beams(sampling: Sampling) -> None:
    """A search draws nothing: what only says how to draw is refused and not passed over."""
    if sampling.n > sampling.beams:
        raise EngineError(f"n is {sampling.n}, expected at most beams, {sampling.beams}")
    for name in ("temperature", "top_p", "top_k", "min_p", "seed"):
        value = getattr(sampling, name)
        if value != getattr(_GREEDY, name):
            raise EngineError(f"{name} is {value}, but beams are searched for and not drawn: leave it out")
