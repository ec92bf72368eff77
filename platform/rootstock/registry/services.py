"""Writes: the adapters that trainings make."""

from pathlib import Path
from typing import Any
from uuid import UUID

from models_zoo.llm.adapter_files import read_lora_config
from models_zoo.llm.card import (
    ADAPTER_CONFIG_FILE,
    AdapterCard,
    AdapterError,
    BaseCard,
    adapter_digest,
    read_adapter_card,
)
from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.audit.services import audit_record
from rootstock.errors import Conflict, InvalidInput
from rootstock.jobs.models import Job
from rootstock.privacy.persons import name_of
from rootstock.registry.base import base_card, base_registered
from rootstock.registry.contents import adapter_keys, content_locked, folder_store
from rootstock.registry.datasets.uses import ROLES
from rootstock.registry.identity import reference_check, version_ensure
from rootstock.registry.models import AdapterVersion, Dataset, Origin
from rootstock.registry.selectors import parent_of
from rootstock.webhooks.services import event_emit


def adapter_register(
    *,
    organisation: Organisation,
    folder: Path,
    job_id: UUID | None,
    name: str = "",
    origin: Origin = Origin.TRAINED,
    created_by: str = "",
) -> AdapterVersion:
    """Take a finished adapter folder into the registry; its files go into storage, and to their local place.

    Content that is there already, under whatever name, gives its row. created_by: who, if not the actor.
    Raises InvalidInput for a folder that is no adapter of the served base, and Conflict when its reference means
    another content.
    """
    found = _read(folder, name)
    reference_check(organisation=organisation, name=found["name"], digest=found["digest"])
    dataset, parent = _made_from(organisation, job_id)
    with content_locked(organisation.pk, found["digest"]):
        folder_store(adapter_keys(organisation.pk, found["digest"]), folder)
        row, created = version_ensure(
            organisation.pk,
            **found,
            origin=origin,
            job_id=job_id,
            dataset=dataset,
            parent=parent,
            created_by=created_by or name_of(),
        )
        if created:
            _tell(row)
    return row


def _read(folder: Path, name: str) -> dict[str, Any]:
    """What the files say, as a version's fields."""
    try:
        digest, card = adapter_digest(folder), read_adapter_card(folder)
        base = base_card()
        if base is None or card.base_fingerprint != base.fingerprint:
            raise InvalidInput.field("base_fingerprint", "the adapter was made for another base model")
        kept = _card(card, folder, base)
    except AdapterError as error:
        raise InvalidInput(str(error)) from None
    return {
        "name": name or card.name, "digest": digest, "base": base_registered(base), "card": kept,
        "bytes": sum(file.stat().st_size for file in folder.iterdir()),
    }  # fmt: skip


def _tell(row: AdapterVersion) -> None:
    """To whoever subscribed, and into the trail."""
    data = {"adapter": row.reference}
    event_emit(organisation=row.organisation_id, type="adapter.registered", data=data)
    audit_record(
        organisation=row.organisation_id,
        action="adapter.registered",
        object_type="adapter",
        object_id=row.pk,
        data={"digest": row.digest, "origin": row.origin, **data},
    )


def _card(card: AdapterCard, folder: Path, base: BaseCard) -> dict[str, Any]:
    """What is shown of a version: what its files say. People add its purpose and limits."""
    lora = read_lora_config(folder / ADAPTER_CONFIG_FILE, base)
    names = ("task", "metrics", "training", "data", "licence", "description", "labels", "bidirectional")
    told = {name: getattr(card, name) for name in names}
    return told | {
        "rank": lora.rank,
        "scale": lora.scale,
        "targets": lora.targets,
        "layers": len(lora.layers),
    }


def _made_from(
    organisation: Organisation, job_id: UUID | None
) -> tuple[Dataset | None, AdapterVersion | None]:
    """The data set of a training, and the version that it went on from. Raises Conflict when a data set that it used
    was destroyed meanwhile: its adapter is not taken."""
    if job_id is None:
        return None, None
    with tenant(organisation):
        params = Job.objects.filter(pk=job_id).values_list("params", flat=True).first() or {}
        named = {role: params[role] for role in ROLES if params.get(role)}
        found = {str(row.pk): row for row in Dataset.objects.filter(pk__in=named.values())}
        if any(row.erased_at for row in found.values()):
            raise Conflict("the data set was destroyed with the erasure of a person while it was trained on")
        return found.get(named.get("dataset", "")), parent_of(params)
