"""Where workers keep a version's weights, and how much of a worker an organisation may have for that."""

from django.conf import settings
from django.db import connection
from django.db.models import QuerySet

from models_zoo.llm.adapter_files import MAX_RANK, TARGETS
from models_zoo.llm.adapter_memory import FORMS, Form, resident_bytes
from models_zoo.llm.card import AdapterCard, BaseCard
from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.errors import Conflict, InvalidInput, Unavailable
from rootstock.lanes.health import snapshot
from rootstock.registry.base import base_card
from rootstock.registry.fitness import unfit
from rootstock.registry.models import AdapterVersion, Keep
from rootstock.registry.selectors import Reference
from rootstock.registry.versions import version_locked, version_record

MIB = 2**20
USUAL: Form = (
    "bfloat16"  # of a worker on a processor: reckoned with while no worker says how it holds adapters
)


def version_keep(*, organisation: Organisation, reference: Reference, keep: str) -> AdapterVersion:
    """Say where workers should keep a version's weights, whatever else is asked for.

    Raises Conflict for one that is not served, and beyond the organisation's share of a worker.
    """
    if keep not in Keep.values:
        raise InvalidInput.field("keep", f"must be one of {', '.join(filter(None, Keep.values))}, or empty")
    forms = worker_forms()
    with tenant(organisation):
        with connection.cursor() as cursor:  # the budget is exact: who asks meanwhile waits
            cursor.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"kept {organisation.pk}"]
            )
        version = version_locked(reference)
        if keep:
            if why := unfit(version):
                raise Conflict(f"{version.reference} {why}")
            _check_budget(version, keep, forms)
        version.keep = keep
        version.save(update_fields=["keep"])
        version_record(version, "kept", keep=keep)
    return version


def worker_forms() -> set[Form]:
    """The forms in which the workers that run hold adapters."""
    told = {worker.engine.get("adapter_form") for worker in snapshot().workers if worker.engine}
    return {form for form in FORMS if form in told} or {USUAL}


def held_bytes(version: AdapterVersion, base: BaseCard, forms: set[Form]) -> int:
    """What a version takes of a worker's memory, in the form that takes most. What its card leaves out is the largest
    that the base takes."""
    told = version.card
    card = AdapterCard(version.name, version.task, base.fingerprint, tuple(told.get("labels") or ()))  # type: ignore[arg-type]
    rank, targets = told.get("rank", MAX_RANK), told.get("targets", TARGETS)
    layers = told.get("layers", base.config.layers)
    return max(resident_bytes(base.config, card, rank, targets, layers, form) for form in forms)


def _check_budget(version: AdapterVersion, keep: str, forms: set[Form]) -> None:
    """Raise Conflict when the organisation's kept adapters would take more than its share of a worker."""
    others = _kept_beside(version)
    base = base_card()
    if base is None:
        raise Unavailable("no base model has been converted yet", retry_after=5)
    held = sum(held_bytes(one, base, forms) for one in [*others, version])
    most = settings.ENGINE_ADAPTER_BYTES * settings.ENGINE_KEPT_SHARE // 100
    if held > most:
        told = f"{held / MIB:,.1f} MiB of a worker, your organisation may have {most / MIB:,.1f}"
        raise Conflict(f"kept adapters would take {told}")
    pinned = sum(one.keep == Keep.PINNED for one in others) + (keep == Keep.PINNED)
    slots = max(1, settings.ENGINE_SLOTS * settings.ENGINE_KEPT_SHARE // 100)
    if pinned > slots:
        raise Conflict(f"your organisation may pin {slots} adapters; unpin another first")


def _kept_beside(version: AdapterVersion) -> "QuerySet[AdapterVersion]":
    """Those of the same base that are kept, also what was taken back: it may be given again."""
    kept = AdapterVersion.objects.filter(base=version.base_id, retired_at=None).exclude(keep=Keep.WHEN_ASKED)
    return kept.exclude(pk=version.pk)
