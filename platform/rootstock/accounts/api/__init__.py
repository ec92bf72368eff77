"""REST: the caller, people, invitations, API keys, machine clients, the organisation."""

from ninja import Router

from rootstock.accounts.api.keys import clients_router, keys_router
from rootstock.accounts.api.organisation import organisation_router
from rootstock.accounts.api.people import invitations_router, people_router

ROUTERS: dict[str, Router] = {
    "/people": people_router,
    "/invitations": invitations_router,
    "/keys": keys_router,
    "/clients": clients_router,
    "/organisation": organisation_router,
}
