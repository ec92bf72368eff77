"""What each causal feature speaks of: the players among whom a score is shared out, as analysts think of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models_zoo.fraud.causal import GROUPS, NAMES

_WHOLE = {"amount": "amount", "calendar": "when", "labels": "known_fraud", "payer_labels": "known_fraud"}
_NAMED = {
    "channel": "channel",
    "channel_share": "channel",
    "payee_channel_share": "channel",
    "pair_count": "pair",
    "pair_since": "pair",
    "reverse_count": "pair",
    "reverse_since": "pair",
    "reverse_ratio": "pair",
    "shared_senders": "pair",
    "shared_receivers": "pair",
    "between_count": "pair",
    "circle_count": "circle",
    "circle_since": "circle",
    "circle_ratio": "circle",
    "payer_straight_on": "pass_through",
    "payee_straight_on": "payee",
    "self": "pair",
    "payer_events": "payer_known",
    "payer_first_seen": "payer_known",
    "amount_to_in_24h": "pass_through",
    "amount_to_last_in": "pass_through",
    "payer_out_to_in_24h": "pass_through",
    "payer_since": "payer_pace",
    "payer_burst": "payer_pace",
    "small_1h": "payer_pace",
    "surprise_since": "surprises",
}
_PREFIXES = (
    ("surprise", "surprises"),
    ("payer_in_", "pass_through"),
    ("payer_out_distinct", "payer_spread"),
    ("payer_out_new", "payer_spread"),
    ("payer_partner", "pair"),
    ("payer_channel", "channel"),
    ("payee_partner", "pair"),
    ("payer", "payer_pace"),
    ("payee", "payee"),
    ("device", "device"),
    ("merchant", "merchant"),
)


def _subject(group: str, name: str) -> str:
    if group in _WHOLE:
        return _WHOLE[group]
    return _NAMED.get(name) or next(subject for prefix, subject in _PREFIXES if name.startswith(prefix))


SUBJECT: dict[str, str] = {name: _subject(group, name) for group, names in GROUPS.items() for name in names}
"""The subject of each causal feature."""
SUBJECTS = tuple(dict.fromkeys(SUBJECT.values()))


def by_subject(attributions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums [N, len(SUBJECTS)] of what each feature adds, [N, len(NAMES)]."""
    member = np.zeros((len(NAMES), len(SUBJECTS)))
    member[np.arange(len(NAMES)), [SUBJECTS.index(SUBJECT[name]) for name in NAMES]] = 1
    return attributions @ member
