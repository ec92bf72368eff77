"""Why a payment was decided as it was: asked of a worker, told in the words of the organisation's payments."""

import time
from collections.abc import Sequence
from decimal import ROUND_DOWN, Decimal
from typing import Any
from uuid import UUID

from apps.fraud.models import Transaction
from apps.fraud.payload import SCALES
from apps.fraud.selectors import transaction_get
from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.errors import Conflict
from rootstock.lanes import client

LANE = "fraud.explain"
_CENT = Decimal("0.01")


def explanation_get(*, organisation: Organisation, transaction_id: UUID) -> dict[str, Any]:
    """The explanation of a payment's decision, as of its sequence. Raises NotFound, Conflict, and what a lane raises.

    Edges name payments by their external ids; the amount is in the payment's currency.
    """
    row = transaction_get(organisation=organisation, transaction_id=transaction_id)
    decision = getattr(row, "decision", None)
    if decision is None:
        raise Conflict("the payment has no decision yet")
    began = time.monotonic()
    (found,) = client.call(LANE, [{"transaction": str(row.pk)}], organisation=organisation)
    shown = {
        "transaction_id": row.pk,
        "external_id": row.external_id,
        "score": decision.score,
        "probability": decision.probability,
        "outcome": decision.outcome,
        "model": decision.model,
        "rules": decision.rules,
        "experts": [
            one | {"contribution": decision.contributions.get(one["expert"], 0.0)} for one in found["experts"]
        ],
        "attributions": found["attributions"],
        "edges": _named(organisation, found["edges"]),
        "would_pass_under": _amount(found["amount_below"], row.currency),
        "currency": row.currency,
        "agrees": found["agrees"],
    }
    return shown | {"latency_ms": round((time.monotonic() - began) * 1000, 2)}


def _named(organisation: Organisation, edges: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Edges with the payments that they lead to; one that has been deleted since is left out."""
    with tenant(organisation):
        rows = Transaction.objects.filter(sequence__in=[one["sequence"] for one in edges])
        named = {row[0]: row[1:] for row in rows.values_list("sequence", "pk", "external_id")}
    return [
        {**one, "transaction_id": named[one["sequence"]][0], "external_id": named[one["sequence"]][1]}
        for one in edges
        if one["sequence"] in named
    ]


def _amount(euros: float | None, currency: str) -> Decimal | None:
    """An amount of the model's scale in a currency, rounded so that it passes."""
    if euros is None:
        return None
    found = (Decimal(str(euros)) / Decimal(str(SCALES[currency]))).quantize(_CENT, ROUND_DOWN)
    return found if found > 0 else None
