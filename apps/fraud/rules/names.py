"""The names that a rule can read, each with its kind and its meaning."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from apps.fraud.payload import CHANNELS
from apps.fraud.rules.lists import WATCHED, Lists
from models_zoo.fraud.facts import MEANINGS

Kind = Literal["number", "flag", "channel"]
Column = NDArray[np.float64]
Columns = Mapping[str, Column | float]
"""Of each name its value for every payment of a batch [B], or of one payment its value."""

FLAGS = ("weekend", "night", "payer_is_new_payee", "device_is_new")
OWN: dict[str, tuple[Kind, str]] = {
    "score": ("number", "calibrated probability of fraud by the model, 0 to 1"),
    "channel": ("channel", f"one of {', '.join(CHANNELS)}"),
    "has_device": ("flag", "1 if the payment names a device"),
    "has_merchant": ("flag", "1 if the payment names a merchant"),
    **{f"{party}_watched": ("flag", f"1 if the {party} is on the watch list") for party in WATCHED},
}
NAMES: dict[str, tuple[Kind, str]] = {
    **{name: ("flag" if name in FLAGS else "number", meaning) for name, meaning in MEANINGS.items()},
    **OWN,
}
"""Every name with its kind and its meaning in one line. A flag is a number as well: 1 if it holds, else 0."""


def columns_of(
    wanted: frozenset[str],
    scores: Sequence[float],
    facts: Sequence[Mapping[str, float]],
    payments: Sequence[Mapping[str, Any]],
    lists: Lists,
) -> Columns:
    """The wanted names of B payments; of one plain numbers, which are several times as quick."""
    own: dict[str, Any] = {
        "score": lambda: scores,
        "channel": lambda: [one["channel"] for one in payments],
        "has_device": lambda: [one["device"] != 0 for one in payments],
        "has_merchant": lambda: [one["merchant"] != 0 for one in payments],
        **{f"{party}_watched": lambda party=party: lists.watched(party, payments) for party in WATCHED},
    }
    given = {name: own[name]() if name in own else [one[name] for one in facts] for name in sorted(wanted)}
    if len(payments) == 1:
        return {name: float(column[0]) for name, column in given.items()}
    return {name: np.asarray(column, np.float64) for name, column in given.items()}
