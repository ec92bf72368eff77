"""Keys and secrets that are refused, told in the trail of the organisation that they belong to."""

from rootstock import rates
from rootstock.accounts.models import ApiKey, MachineClient
from rootstock.audit.services import audit_record

_TOLD_EVERY_S = 600  # whoever tries on does not fill the trail


def refusal_record(holder: ApiKey | MachineClient, reason: str = "wrong_secret") -> None:
    """Somebody named the key or client and was refused: it has ended, or for the reason given."""
    reason = reason if holder.state == "live" else holder.state
    if not rates.first_in(f"refused:{holder.pk}:{reason}", _TOLD_EVERY_S):
        return
    kind = "api_key" if isinstance(holder, ApiKey) else "machine_client"
    audit_record(
        organisation=holder.organisation_id,
        action="api_key.refused" if kind == "api_key" else "client.refused",
        object_type=kind,
        object_id=holder.pk,
        data={"reason": reason},
    )
