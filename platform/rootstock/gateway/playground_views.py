"""Pages: the playground."""

from functools import partial
from uuid import UUID

from django.http import HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from rootstock.accounts.actors import current_actor
from rootstock.accounts.auth import PageRequest, tenant_page
from rootstock.accounts.views.common import scopes_of
from rootstock.errors import Unavailable
from rootstock.gateway.budgets import stream_slot_give
from rootstock.gateway.playground import Choices, PlaygroundForm, answers_open, model_choices
from rootstock.lanes import streams
from rootstock.registry.resolving import TRY

SIDES = (("a", "A"), ("b", "B"))


@require_GET
@tenant_page("models:use")
def playground_page(request: PageRequest) -> HttpResponse:
    """Two models beside each other. `?a=` and `?b=` choose them."""
    choices: Choices = []
    away = ""
    try:
        choices = model_choices(request.organisation, tries=TRY in scopes_of(request))
    except Unavailable as error:
        away = error.detail
    chosen = {f"model_{side}": request.GET.get(side, "") for side, _ in SIDES}
    form = PlaygroundForm(choices=choices, initial={"model_b": _second(choices)} | _given(chosen))
    context = {
        "form": form,
        "sides": SIDES,
        "away": away,
        "may_audit": "audit:read" in scopes_of(request),
    }
    return render(request, "gateway/playground.html", context)


@require_POST
@tenant_page("models:use")
def playground_ask(request: PageRequest) -> HttpResponse:
    """Ask: where each answer streams from, and where it is stopped."""
    tries = TRY in scopes_of(request)
    form = PlaygroundForm(request.POST, choices=model_choices(request.organisation, tries=tries))
    opened = answers_open(organisation=request.organisation, actor=current_actor(), form=form, tries=tries)
    return JsonResponse(
        {
            side: {
                "model": model.id,
                "stream": reverse("playground-stream", args=[UUID(stream)]),
                "stop": reverse("playground-stop", args=[UUID(stream)]),
            }
            for side, model, stream in opened
        }
    )


@require_GET
@tenant_page("models:use")
def playground_stream(request: PageRequest, stream_id: UUID) -> HttpResponseBase:
    """One answer as server-sent events."""
    last = request.headers.get("Last-Event-ID", "0")
    give_back = partial(stream_slot_give, request.organisation, stream_id.hex)
    return streams.sse_response(
        stream_id.hex, organisation=request.organisation, last_event_id=last, abandoned=give_back
    )


@require_POST
@tenant_page("models:use")
def playground_stop(request: PageRequest, stream_id: UUID) -> HttpResponse:
    """Nobody wants the rest of this answer."""
    streams.check_stream(stream_id.hex, organisation=request.organisation)
    streams.cancel_stream(stream_id.hex)
    return HttpResponse(status=204)


def _second(choices: Choices) -> str:
    """The newest adapter stands against the base from the start."""
    adapters = [value for label, offered in choices if label != "Base" for value, _ in offered]
    return adapters[0] if adapters else ""


def _given(chosen: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in chosen.items() if value}
