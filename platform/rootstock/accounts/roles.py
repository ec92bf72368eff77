"""What each role may do, as the scopes that API keys use too."""

from rootstock.accounts.models import Role

SCOPES = {
    "fraud:read": "See scored payments",
    "fraud:write": "Score payments",
    "fraud:rules": "Write and test fraud rules, ask that they come into force, keep lists",
    "fraud:approve": "Agree to fraud rules and models, roll them back, let listed payments pass",
    "ehr:read": "See patients, timelines and de-identified notes",
    "ehr:write": "Import records",
    "ehr:identified": "See notes before de-identification",
    "support:read": "See conversations",
    "support:write": "Hold conversations",
    "adapters:read": "See base models and adapters",
    "adapters:write": "Train and upload adapters, ask for promotions",
    "adapters:approve": "Agree to promotions, roll back, retire adapters",
    "models:use": "Use models: chat, complete, embed",
    "usage:read": "See what was used of the models, and the budget",
    "jobs:read": "See jobs",
    "jobs:write": "Cancel jobs",
    "files:read": "See and download files",
    "files:write": "Upload files",
    "people:read": "See people and their roles",
    "people:write": "Invite people, change roles, remove members",
    "keys:read": "See API keys and machine clients",
    "keys:write": "Create, rotate and revoke API keys and machine clients",
    "webhooks:read": "See webhooks and their deliveries",
    "webhooks:write": "Set up webhooks, replay deliveries, rotate secrets",
    "audit:read": "See and export the audit trail and the decision records",
    "privacy:read": "See retention rules and privacy requests",
    "privacy:write": "Export or erase a person's data, set retention rules",
    "settings:write": "Change the organisation's settings",
}
_READ = frozenset(s for s in SCOPES if s.endswith(":read"))
_FRAUD = frozenset({"fraud:read", "fraud:write", "fraud:rules", "jobs:read"})
_SUPPORT = frozenset({"support:read", "support:write", "jobs:read"})

ROLE_SCOPES: dict[str, frozenset[str]] = {
    Role.ADMINISTRATOR: frozenset(SCOPES) - {"ehr:identified"},
    Role.ML_ENGINEER: frozenset(
        {
            "adapters:read",
            "adapters:write",
            "adapters:approve",
            "models:use",
            "usage:read",
            "jobs:read",
            "jobs:write",
            "files:read",
            "files:write",
        }
    ),
    Role.FRAUD_ANALYST: _FRAUD,
    Role.FRAUD_SUPERVISOR: _FRAUD | {"fraud:approve", "jobs:write"},
    Role.CLINICIAN: frozenset({"ehr:read", "ehr:write", "ehr:identified", "jobs:read"}),
    Role.PRIVACY_OFFICER: frozenset(
        {
            "ehr:read",
            "ehr:identified",
            "jobs:read",
            "audit:read",
            "people:read",
            "privacy:read",
            "privacy:write",
        }
    ),
    Role.SUPPORT_AGENT: _SUPPORT,
    Role.SUPPORT_LEAD: _SUPPORT | {"adapters:read", "models:use", "jobs:write"},
    Role.AUDITOR: _READ,
}
