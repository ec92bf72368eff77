"""An endpoint under an Idempotency-Key: done once, answered as often as it is asked."""

from collections.abc import Callable, Iterable
from hashlib import sha256

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from rootstock.accounts.auth import Principal
from rootstock.accounts.tenancy import tenant
from rootstock.idempotency import services
from rootstock.idempotency.marks import Way, is_effect_done
from rootstock.idempotency.services import Answer, Asked

HEADER = "Idempotency-Key"
METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
Run = Callable[[], HttpResponseBase]


def answered_once(request: HttpRequest, principal: Principal, way: Way, run: Run) -> HttpResponseBase:
    """The first answer to this request under its key, given again with `Idempotent-Replayed: true`.

    Only a success is kept: what was refused may be mended and sent again under the same key.
    """
    wanted = services.asked(
        organisation=principal.organisation.pk,
        caller=f"{principal.actor.kind}:{principal.actor.id}",
        key=request.headers[HEADER],
        parts=[(request.method or "").encode(), request.get_full_path().encode(), *_body(request)],
    )
    if way == "repeatable":
        return _repeated(wanted, run)
    return _claimed(wanted, request, run) if way == "claims_first" else _atomic(wanted, run)


def _atomic(wanted: Asked, run: Run) -> HttpResponseBase:
    """Lock, effect and answer in one transaction: a crash anywhere leaves none of it."""
    with tenant(wanted.organisation):
        services.request_lock(wanted)
        if found := services.answer_find(wanted):
            return _replayed(found)
        services.request_take(wanted)
        with transaction.atomic():  # what fails takes its own writes along, and not the lock
            response = run()
            if response.status_code >= 500:
                transaction.set_rollback(True)
        _keep(wanted, response)
    return response


def _claimed(wanted: Asked, request: HttpRequest, run: Run) -> HttpResponseBase:
    """The key is taken first and for good: a crash in between leaves it without an answer, never done twice.

    So does a fault, and an error of any kind once the effect is committed.
    """
    with tenant(wanted.organisation):
        services.request_lock(wanted)
        if found := services.answer_find(wanted):
            return _replayed(found)
        services.request_take(wanted)
    response = run()
    with tenant(wanted.organisation):
        if not _is_success(response) and (response.status_code == 500 or is_effect_done(request)):
            services.answer_lose(wanted, response.status_code)
        else:
            _keep(wanted, response)
    return response


def _repeated(wanted: Asked, run: Run) -> HttpResponseBase:
    """The key is taken first; whatever ends without a success leaves it free, and a crash for two minutes only."""
    with tenant(wanted.organisation):
        services.request_lock(wanted)
        if found := services.answer_find(wanted, repeatable=True):
            return _replayed(found)
        services.request_take(wanted)
    response = run()
    with tenant(wanted.organisation):
        _keep(wanted, response)
    return response


def _is_success(response: HttpResponseBase) -> bool:
    return 200 <= response.status_code < 300


def _keep(wanted: Asked, response: HttpResponseBase) -> None:
    if isinstance(response, HttpResponse) and _is_success(response):
        answer = Answer(response.status_code, response.headers.get("Content-Type", ""), response.content)
        services.answer_store(wanted, answer)
    else:
        services.request_forget(wanted)


def _replayed(found: Answer) -> HttpResponse:
    response = HttpResponse(found.content, status=found.status, content_type=found.content_type or None)
    response["Idempotent-Replayed"] = "true"
    return response


def _body(request: HttpRequest) -> list[bytes]:
    """The body in parts; of a form its fields and the hashes of its files, which may be larger than memory."""
    if request.content_type != "multipart/form-data":
        return [request.body]
    fields = [
        f"{name}={value}".encode() for name in sorted(request.POST) for value in request.POST.getlist(name)
    ]
    files = [
        f"{name}={each.name}".encode() + _digest(each.chunks())
        for name in sorted(request.FILES)
        for each in request.FILES.getlist(name)
    ]
    for name in request.FILES:
        for each in request.FILES.getlist(name):
            each.seek(0)
    return [*fields, *files]


def _digest(chunks: Iterable[bytes]) -> bytes:
    found = sha256()
    for chunk in chunks:
        found.update(chunk)
    return found.digest()
