"""The demo's organisations, people and keys. Running it again re-uses what is there and makes fresh keys."""

from dataclasses import dataclass, field

from rootstock.accounts.models import Organisation, Role, User
from rootstock.accounts.services import api_key_create, member_add, organisation_create, user_create

PASSWORD = "rootstock-demo"


@dataclass(slots=True, frozen=True)
class Tenant:
    """One organisation of the demo: who works there and what its systems' key may do."""

    vertical: str
    name: str
    slug: str
    people: dict[str, str]
    scopes: tuple[str, ...]


TENANTS = (
    Tenant(
        "fraud",
        "Kestrel Bank",
        "kestrel-bank",
        {"amira": Role.FRAUD_ANALYST},
        ("fraud:read", "fraud:write", "fraud:rules", "jobs:read"),
    ),
    Tenant(
        "ehr",
        "St Brannoc Hospital",
        "st-brannoc",
        {"joan": Role.CLINICIAN},
        ("ehr:read", "ehr:write", "jobs:read"),
    ),
    Tenant(
        "support",
        "Larkfield Support",
        "larkfield",
        {"tomas": Role.SUPPORT_LEAD, "ines": Role.ML_ENGINEER},
        (
            "support:read",
            "support:write",
            "adapters:read",
            "adapters:write",
            "adapters:approve",
            "models:use",
            "jobs:read",
            "jobs:write",
        ),
    ),
)
ADMINISTRATOR = "admin"
AGREES = ("ines", "larkfield", ("adapters:read", "adapters:approve"))  # who, where, and with which scopes


@dataclass(slots=True)
class Seeded:
    """What the demo works with."""

    tokens: dict[str, str] = field(default_factory=dict)
    logins: list[tuple[str, str, str]] = field(default_factory=list)


def seed() -> Seeded:
    """Make sure that everybody is there."""
    seeded, administrator = Seeded(), _user(ADMINISTRATOR)
    seeded.logins.append((ADMINISTRATOR, "administrator", ", ".join(tenant.name for tenant in TENANTS)))
    for tenant in TENANTS:
        organisation = _organisation(tenant)
        member_add(organisation=organisation, user=administrator, role=Role.ADMINISTRATOR)
        for username, role in tenant.people.items():
            member_add(organisation=organisation, user=_user(username), role=role)
            seeded.logins.append((username, Role(role).label.lower(), tenant.name))
        _, token = api_key_create(
            organisation=organisation, name="demo", scopes=tenant.scopes, created_by=administrator
        )
        seeded.tokens[tenant.vertical] = token
    seeded.tokens["agrees"] = _second_key()
    return seeded


def _second_key() -> str:
    """A second person's key: nobody promotes an adapter alone."""
    username, slug, scopes = AGREES
    organisation, person = Organisation.objects.get(slug=slug), User.objects.get(username=username)
    return api_key_create(
        organisation=organisation, name=f"demo {username}", scopes=scopes, created_by=person
    )[1]


def _organisation(tenant: Tenant) -> Organisation:
    found = Organisation.objects.filter(slug=tenant.slug).first()
    return found or organisation_create(name=tenant.name, slug=tenant.slug)


def _user(username: str) -> User:
    found = User.objects.filter(username=username).first()
    return found or user_create(username=username, password=PASSWORD)
