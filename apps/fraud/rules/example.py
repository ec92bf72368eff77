"""Rules to begin with: the demo tries them in the shadow, and docs/fraud.md shows one of them."""

from typing import Any


def _rule(code: str, text: str, when: str, points: float) -> dict[str, Any]:
    return {"code": code, "text": text, "when": when, "points": points}


EXAMPLE: dict[str, Any] = {
    "note": "To begin with",
    "review": 50,
    "decline": 100,
    "typologies": [
        {
            "name": "card_testing",
            "label": "Card testing",
            "rules": [
                _rule(
                    "SMALL_THEN_LARGE",
                    "Small payments, then a large one",
                    "payer_small_1h >= 2 and amount > 50",
                    60,
                ),
                _rule("MANY_IN_AN_HOUR", "Many payments in an hour", "payer_count_1h >= 6", 40),
            ],
        },
        {
            "name": "account_takeover",
            "label": "Account take-over",
            "rules": [
                _rule(
                    "NEW_DEVICE_NEW_PAYEE",
                    "New device, new payee, and more than ever before",
                    "device_is_new and payer_is_new_payee and amount_over_largest > 1 and payer_payments >= 5",
                    60,
                )
            ],
        },
        {
            "name": "mule_fan_in",
            "label": "Mule account, collecting",
            "rules": [
                _rule(
                    "MANY_NEW_PAYERS",
                    "Paid by many accounts that never paid it before",
                    'payee_new_payers_24h >= 3 and channel in ["transfer", "instant"] and not has_merchant',
                    55,
                ),
                _rule("PASSES_ON", "Passes on what it receives", "payee_sent_over_received_24h > 0.8", 30),
            ],
        },
        {
            "name": "layering",
            "label": "Money passed on",
            "rules": [
                _rule(
                    "SAME_MONEY_LEAVES",
                    "Nearly the sum that came in leaves within hours",
                    "payer_hours_since_received < 6 and amount_over_received_24h > 0.8 "
                    "and amount_over_received_24h <= 1.05",
                    50,
                )
            ],
        },
        {
            "name": "known_fraud",
            "label": "Known fraud",
            "weight": 2,
            "rules": [
                _rule(
                    "FRAUD_BEFORE",
                    "Payee or device was last seen in fraud",
                    "payee_known_frauds >= 1 or device_known_frauds >= 1",
                    30,
                )
            ],
        },
    ],
}
