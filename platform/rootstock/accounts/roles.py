"""What each role may do, as the scopes that API keys use too."""

from rootstock.accounts.models import Role

SCOPES = {
    "fraud:read": "See scored payments",
    "fraud:write": "Score payments",
    "ehr:read": "See patients, timelines and de-identified notes",
    "ehr:write": "Import records",
    "ehr:identified": "See notes before de-identification",
    "support:read": "See conversations",
    "support:write": "Hold conversations",
    "adapters:read": "See base models and adapters",
    "adapters:write": "Train adapters",
    "jobs:read": "See jobs",
    "jobs:write": "Cancel jobs",
}
_READ = frozenset(s for s in SCOPES if s.endswith(":read"))
_FRAUD = frozenset({"fraud:read", "fraud:write", "jobs:read"})
_SUPPORT = frozenset({"support:read", "support:write", "jobs:read"})

ROLE_SCOPES: dict[str, frozenset[str]] = {
    Role.ADMINISTRATOR: frozenset(SCOPES) - {"ehr:identified"},
    Role.ML_ENGINEER: frozenset({"adapters:read", "adapters:write", "jobs:read", "jobs:write"}),
    Role.FRAUD_ANALYST: _FRAUD,
    Role.FRAUD_SUPERVISOR: _FRAUD | {"jobs:write"},
    Role.CLINICIAN: frozenset({"ehr:read", "ehr:write", "ehr:identified", "jobs:read"}),
    Role.PRIVACY_OFFICER: frozenset({"ehr:read", "ehr:identified", "jobs:read"}),
    Role.SUPPORT_AGENT: _SUPPORT,
    Role.SUPPORT_LEAD: _SUPPORT | {"adapters:read", "jobs:write"},
    Role.AUDITOR: _READ,
}
