"""The values that a reason speaks of, as pages tell them: under the API's names, with their units."""

import re
from collections.abc import Mapping

from apps.fraud.payload import CHANNELS

# Of features (models_zoo.fraud.causal) and of facts for rules alike. What no line fits is a count, a share or a ratio.
_UNITS = (
    (re.compile(r"amount|\w+_sum_\w+|payer_received_24h|payee_sent_24h"), "EUR"),
    (re.compile(r"hour(_distance)?|\w+_hours_since_\w+|(payer|payee|device|merchant)(_in|_out)?_since"), "h"),
    (
        re.compile(r"(\w+_)?days_since(_\w+)?|\w+_since|\w+_first_seen|\w+_days_known|\w+_run(_plain)?_days"),
        "days",
    ),
)


def unit_of(name: str) -> str:
    """What a value is measured in; empty for a plain number."""
    return next((unit for names, unit in _UNITS if names.fullmatch(name)), "")


def values_told(values: Mapping[str, float | None]) -> list[tuple[str, str]]:
    """Names with their values in words."""
    return [(name, _told(name, value)) for name, value in values.items()]


def _told(name: str, value: float | None) -> str:
    if value is None:
        return "not measured"
    if name == "channel":
        return CHANNELS[int(value)]
    return f"{value:,.4f}".rstrip("0").rstrip(".") + f"\u00a0{unit_of(name)}".rstrip("\u00a0")
