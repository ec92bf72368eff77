"""One person in each vertical, planted as users would."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

ACCOUNT, COUNTERPARTY = "GB29-LOVELACE-0001", "DE89-BABBAGE-0002"
CUSTOMER = "Ada.Lovelace@example.org"
SAID = "I am Ada Lovelace of 12 Ockham Park and I am furious"


@dataclass
class Planted:
    """The world, clients, and whoever was planted."""

    world: Any
    api: Any
    second: Any
    names: list[str] = field(default_factory=list)

    @property
    def organisation(self) -> Any:
        """The first organisation."""
        return self.world.organisation

    def find(self, reference: str) -> dict[str, Any]:
        """The one person with this reference."""
        answer = self.api.post("/privacy/subjects/search", {"reference": reference})
        assert answer.status_code == 200, answer.json()
        [found] = answer.json()
        return found

    def search(self, reference: str) -> list[dict[str, Any]]:
        """Everybody with this reference."""
        return self.api.post("/privacy/subjects/search", {"reference": reference}).json()

    def ask(self, subject: dict[str, Any], action: str = "erase") -> dict[str, Any]:
        """A request about a person."""
        body = {
            "subject_id": subject["id"],
            "action": action,
            "ground": "person_asked",
            "note": "Ada Lovelace rang",
        }
        answer = self.api.post("/privacy/requests", body)
        assert answer.status_code == 201, answer.json()
        return answer.json()

    def erase(self, subject: dict[str, Any]) -> dict[str, Any]:
        """Asked by one person and confirmed by another: the certificate."""
        answer = self.second.post(f"/privacy/requests/{self.ask(subject)['id']}/confirm")
        assert answer.status_code == 200, answer.json()
        return answer.json()


@pytest.fixture
def planted(committed_world: Any) -> Planted:
    """A committed world with two people who may do everything about privacy."""
    from rootstock.accounts.services import member_add

    world = committed_world
    scopes = (
        "privacy:read",
        "privacy:write",
        "fraud:read",
        "ehr:read",
        "support:read",
        "ehr:identified",
        "files:read",
        "files:write",
        "adapters:read",
        "adapters:write",
    )
    member_add(organisation=world.organisation, user=world.colleague, role="administrator")
    made = [_key_of(world, person, scopes) for person in (world.owner, world.colleague)]
    return Planted(world, *made)


def _key_of(world: Any, person: Any, scopes: tuple[str, ...]) -> Any:
    from rootstock.accounts.services import api_key_create
    from tests.fixtures.world import Api

    return Api(
        api_key_create(organisation=world.organisation, name="test", scopes=scopes, created_by=person)[1]
    )


def pay(organisation: Any, *pairs: tuple[str, str], start: int = 1, **more: str) -> None:
    """Payments, stored and not scored."""
    from apps.fraud.ingest import NewTransaction
    from apps.fraud.services import batch_submit

    given = [
        NewTransaction(f"p-{number}", payer, payee, Decimal("9.50"), "EUR", "card", datetime.now(UTC), **more)
        for number, (payer, payee) in enumerate(pairs, start=start)
    ]
    batch_submit(organisation=organisation, given=given)


def talk(organisation: Any, customer: str = CUSTOMER, text: str = SAID) -> UUID:
    """A conversation in which a customer said something."""
    from apps.support.models import Turn
    from apps.support.services import conversation_start
    from rootstock.accounts.tenancy import tenant

    started = conversation_start(
        organisation=organisation, subject="Parcel of Ada Lovelace", customer=customer
    )
    with tenant(organisation) as owner:
        Turn.objects.create(
            organisation_id=owner,
            conversation=started,
            person=started.person,
            number=2,
            role="user",
            text=text,
        )
    return started.pk


def admit(organisation: Any, index: int = 0, now: datetime | None = None) -> Any:
    """A patient, read from a Bundle; the notes stay withheld."""
    from apps.ehr.generator import case
    from apps.ehr.services import bundle_import
    from tests.fixtures.jobs import run_job

    made = case(index, now)
    import json

    accepted = bundle_import(organisation=organisation, body=json.dumps(made.bundle).encode())
    run_job(organisation.pk, accepted.bundle.job_id)
    return made
