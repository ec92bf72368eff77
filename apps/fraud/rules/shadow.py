"""What the version in the shadow would have decided, beside what was decided."""

from typing import Any

from django.db import connection

from apps.fraud.models import Decision, Label
from apps.fraud.rules.versions import version_numbered
from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant

_FROM = """
FROM {decision} AS decision LEFT JOIN LATERAL (
    SELECT fraud FROM {label} WHERE transaction_id = decision.transaction_id ORDER BY sequence DESC LIMIT 1
) AS label ON true
"""
_WHERE = """
WHERE decision.organisation_id = %(organisation)s AND decision.shadow IS NOT NULL
    AND decision.shadow ->> 'rules' = %(rules)s
"""
_OUTCOMES = f"""
SELECT decision.shadow ->> 'outcome', decision.outcome, label.fraud, count(*) {_FROM} {_WHERE} GROUP BY 1, 2, 3
"""
_HITS = f"""
SELECT hit.code, count(*), count(*) FILTER (WHERE label.fraud)
{_FROM} CROSS JOIN LATERAL jsonb_array_elements_text(decision.shadow -> 'hits') AS hit(code)
{_WHERE} GROUP BY 1 ORDER BY 2 DESC, 1
"""


def shadow_compare(*, organisation: Organisation, number: int) -> dict[str, Any]:
    """What a version would have decided while it was in the shadow, with the frauds known now. Raises NotFound."""
    with tenant(organisation) as owner, connection.cursor() as cursor:
        version = version_numbered(number)
        wanted: dict[str, Any] = {"organisation": owner, "rules": version.reference}
        tables = {"decision": Decision._meta.db_table, "label": Label._meta.db_table}
        cursor.execute(_OUTCOMES.format(**tables), wanted)
        rows = cursor.fetchall()
        cursor.execute(_HITS.format(**tables), wanted)
        hits = [{"code": code, "hits": count, "frauds": frauds} for code, count, frauds in cursor.fetchall()]
    return {"rules": version.reference, **_compared(rows), "by_rule": hits}


def _compared(rows: list[tuple[str, str, bool | None, int]]) -> dict[str, Any]:
    def counted(chosen: Any) -> dict[str, int]:
        found = [(fraud, count) for tried, decided, fraud, count in rows if chosen(tried, decided)]
        return {
            "payments": sum(count for _, count in found),
            "frauds": sum(count for fraud, count in found if fraud),
        }

    return {
        "compared": counted(lambda tried, decided: True),
        "same": counted(lambda tried, decided: tried == decided),
        "shadow_alerts": counted(lambda tried, decided: tried != "approve"),
        "shadow_declines": counted(lambda tried, decided: tried == "decline"),
        "alerts": counted(lambda tried, decided: decided != "approve"),
        "declines": counted(lambda tried, decided: decided == "decline"),
        "both_alert": counted(lambda tried, decided: "approve" not in (tried, decided)),
        "only_shadow_alerts": counted(lambda tried, decided: tried != "approve" == decided),
        "only_decision_alerts": counted(lambda tried, decided: decided != "approve" == tried),
    }
