"""The endpoints of the bench, under the real API with its authentication, rates, log line and figures."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import path
from ninja import Router, Schema

from rootstock.accounts.auth import ApiRequest, scope
from rootstock.api import api
from rootstock.lanes import client, streams

router = Router(tags=["bench"])


class Body(Schema):
    """About the size of a payment."""

    external_id: str
    payer: str
    payee: str
    amount: float
    channel: str


class Echoed(Schema):
    """What came back from the worker."""

    echo: Body


@router.post("/echo", response=Echoed, auth=scope("fraud:write"))
def echo(request: ApiRequest, body: Body) -> dict[str, Any]:
    """Through the lane."""
    return client.call("bench.echo", [body.dict()], organisation=request.auth.organisation)[0]


@router.post("/direct", response=Echoed, auth=scope("fraud:write"))
def direct(request: ApiRequest, body: Body) -> dict[str, Any]:
    """The same without the lane."""
    return {"echo": body.dict()}


@router.get("/streams/{stream_id}", auth=scope("fraud:read"), response=None)
def stream(request: ApiRequest, stream_id: UUID) -> HttpResponseBase:
    """Events that the bench writes."""
    return streams.sse_response(stream_id.hex, organisation=request.auth.organisation)


def bare(request: HttpRequest) -> HttpResponse:
    """A view that does nothing."""
    return HttpResponse(b"ok")


api.add_router("/bench", router)

from rootstock.urls import handler400, handler403, handler404, handler500  # noqa: E402, F401
from rootstock.urls import urlpatterns as rootstock_urls  # noqa: E402

urlpatterns = [path("api/v1/bench/bare", bare), path("bare", bare), *rootstock_urls]
