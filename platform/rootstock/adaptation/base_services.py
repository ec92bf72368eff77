"""Starting the training of a base."""

from uuid import UUID

from rootstock.accounts.models import Organisation, User
from rootstock.accounts.tenancy import tenant
from rootstock.adaptation.base_schemas import BaseTrainSettings
from rootstock.audit.services import audit_record
from rootstock.errors import InvalidInput, NotFound, Unavailable
from rootstock.jobs.models import Job
from rootstock.jobs.services import job_create
from rootstock.registry.base import base_card
from rootstock.registry.datasets.contents import dataset_file
from rootstock.registry.datasets.fitness import refuse_unfit
from rootstock.registry.models import Dataset
from rootstock.registry.names import check_name
from rootstock.registry.trained_bases import trained_base_named

KIND = "bases.train"


def base_train(
    *,
    organisation: Organisation,
    name: str,
    dataset_id: UUID,
    evaluation_id: UUID,
    settings: BaseTrainSettings,
    base: str = "",
    created_by: User | None = None,
) -> Job:
    """Queue the training of a new base from the served one, or from one that the organisation trained.

    Raises InvalidInput or NotFound naming the field. Whether memory will do is seen where it is trained.
    """
    check_name(name)
    if base:
        trained_base_named(organisation=organisation, reference=base)
    elif base_card() is None:
        raise Unavailable("no base model has been converted yet", retry_after=5)
    with tenant(organisation):
        dataset = _check(dataset_id, "dataset_id", is_test=False)
        evaluation = _check(evaluation_id, "evaluation_id", is_test=None)
        refuse_unfit(dataset=dataset, max_tokens=settings.max_tokens, evaluation=evaluation)
        told = settings.model_dump(mode="json")
        job = job_create(
            organisation=organisation,
            kind=KIND,
            params={
                "name": name,
                "base": base,
                "dataset": str(dataset_id),
                "evaluation": str(evaluation_id),
                "settings": told,
            },
            created_by=created_by,
        )
        audit_record(
            organisation=organisation,
            action="base.training_started",
            object_type="job",
            object_id=job.pk,
            data={"base": name, "from": base, "dataset": str(dataset_id), "settings": told},
        )
    return job


def _check(dataset_id: UUID, field: str, is_test: bool | None) -> Dataset:
    """A data set of conversations whose content is there; frozen test sets are measured on and never trained on."""
    dataset = Dataset.objects.filter(pk=dataset_id).first()
    if dataset is None:
        raise NotFound(f"{field}: no such data set")
    if dataset.task != "chat":
        raise InvalidInput.field(field, f"{dataset.name} is for {dataset.task}: bases learn conversations")
    if is_test is False and dataset.is_test:
        raise InvalidInput.field(field, f"{dataset.name} is a frozen test set: nothing is trained on it")
    dataset_file(dataset)
    return dataset
