"""Starting trainings."""

from uuid import UUID

from rootstock.accounts.models import Organisation, User
from rootstock.accounts.tenancy import tenant
from rootstock.adaptation.train_settings import TrainSettings
from rootstock.audit.services import audit_record
from rootstock.errors import InvalidInput, NotFound, Unavailable
from rootstock.jobs.models import Job
from rootstock.jobs.services import job_create
from rootstock.registry.base import base_card
from rootstock.registry.datasets.contents import dataset_file
from rootstock.registry.models import Dataset
from rootstock.registry.names import check_name

KIND = "adapters.train"
RESULTS = "metrics.csv"  # the file of a training's figures


def adapter_train(
    *,
    organisation: Organisation,
    name: str,
    dataset_id: UUID,
    settings: TrainSettings,
    created_by: User | None = None,
) -> Job:
    """Queue the training of an adapter on a data set of the organisation."""
    check_name(name)
    if base_card() is None:
        raise Unavailable("no base model has been converted yet", retry_after=5)
    with tenant(organisation):
        dataset = _dataset(dataset_id)
        told = settings.model_dump(mode="json")
        job = job_create(
            organisation=organisation,
            kind=KIND,
            params={"name": name, "dataset": str(dataset.pk), "settings": told},
            created_by=created_by,
        )
        audit_record(
            organisation=organisation,
            action="adapter.training_started",
            object_type="job",
            object_id=job.pk,
            data={"adapter": name, "dataset": dataset.pk, "settings": told},
        )
    return job


def _dataset(dataset_id: UUID) -> Dataset:
    dataset = Dataset.objects.filter(pk=dataset_id).first()
    if dataset is None:
        raise NotFound("dataset_id: no such data set")
    if dataset.is_test or dataset.task != "chat":
        use = "a frozen test set" if dataset.is_test else f"for {dataset.task}"
        raise InvalidInput.field("dataset_id", f"{dataset.name} is {use}: it is not trained on here")
    dataset_file(dataset)
    return dataset
