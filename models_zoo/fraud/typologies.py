"""The seven kinds of fraud in a generated world: how often each happens and when a bank hears of it.

A payment's typology is what it truly is. What a bank knows is less and later: each episode is reported after a
delay of its own, and some never are. Training must not use a label before its payment's `known`.
"""

from __future__ import annotations

from dataclasses import dataclass

GENUINE = ""
CARD_TESTING = "card_testing"
TAKEOVER = "account_takeover"
MULE = "mule_fan_in_out"
CYCLE = "layering_cycle"
SCATTER = "scatter_gather"
INVOICE = "invoice_redirection"
BUST_OUT = "bust_out"


@dataclass(slots=True, frozen=True)
class Typology:
    """`episodes` per 1,000 customers and day at fraud = 1; `delay` is the median of days until a report.

    `unreported` is the share of episodes that nobody ever reports. About `share` of all payments are of this kind.
    """

    episodes: float
    delay: float
    unreported: float
    share: float


TYPOLOGIES: dict[str, Typology] = {
    CARD_TESTING: Typology(episodes=0.18, delay=4, unreported=0.08, share=0.0022),
    TAKEOVER: Typology(episodes=0.45, delay=1, unreported=0.05, share=0.0015),
    MULE: Typology(episodes=0.12, delay=6, unreported=0.15, share=0.0039),
    CYCLE: Typology(episodes=0.24, delay=25, unreported=0.45, share=0.0015),
    SCATTER: Typology(episodes=0.12, delay=21, unreported=0.40, share=0.0013),
    INVOICE: Typology(episodes=0.75, delay=28, unreported=0.10, share=0.0012),
    BUST_OUT: Typology(episodes=0.16, delay=40, unreported=0.10, share=0.0017),
}
"""Together about one payment in a hundred. Money that leaves a mule's account is `MULE`, whatever brought it in."""
