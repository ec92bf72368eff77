"""How evenly a text's tokens are spread: text that repeats itself has little entropy for its length."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

SHORTEST = 8  # tokens: below, a text says too little about itself


def evenness(tokens: Sequence[int]) -> float:
    """Shannon's entropy of the tokens as a share of what as many different ones would have, 0 to 1 (Pielou, 1966).

    1 for texts of fewer than `SHORTEST` tokens.
    """
    count = len(tokens)
    if count < SHORTEST:
        return 1.0
    entropy = -sum(n / count * math.log2(n / count) for n in Counter(tokens).values())
    return entropy / math.log2(count)
