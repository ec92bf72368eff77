"""Writes: organisations, people, members, invitations, API keys, machine clients, sessions. Each audits itself."""

from rootstock.accounts.services.clients import client_create, client_revoke, client_rotate_secret
from rootstock.accounts.services.invitations import (
    invitation_accept,
    invitation_create,
    invitation_renew,
    invitation_revoke,
    invitation_send,
)
from rootstock.accounts.services.keys import api_key_create, api_key_revoke, api_key_rotate
from rootstock.accounts.services.members import (
    member_add,
    member_remove,
    member_role_change,
    member_unlock,
    person_switched,
)
from rootstock.accounts.services.organisations import (
    organisation_create,
    organisation_switch,
    organisation_update,
)
from rootstock.accounts.services.people import other_sessions_end, person_update, session_end, user_create

__all__ = [
    "api_key_create",
    "api_key_revoke",
    "api_key_rotate",
    "client_create",
    "client_revoke",
    "client_rotate_secret",
    "invitation_accept",
    "invitation_create",
    "invitation_renew",
    "invitation_revoke",
    "invitation_send",
    "member_add",
    "member_remove",
    "member_role_change",
    "member_unlock",
    "organisation_create",
    "organisation_switch",
    "organisation_update",
    "other_sessions_end",
    "person_switched",
    "person_update",
    "session_end",
    "user_create",
]
