"""Starting trainings."""

from rootstock.accounts.models import Organisation, User
from rootstock.accounts.tenancy import tenant
from rootstock.adaptation.checks import check_together
from rootstock.adaptation.sources import Loaded, Sources, load, shaped
from rootstock.adaptation.train_settings import TrainSettings
from rootstock.audit.services import audit_record
from rootstock.errors import Unavailable
from rootstock.jobs.models import Job
from rootstock.jobs.services import job_create
from rootstock.registry.base import base_card
from rootstock.registry.datasets.fitness import refuse_unfit
from rootstock.registry.names import check_name

KIND = "adapters.train"
RESULTS = "metrics.csv"  # the file of a training's figures


def adapter_train(
    *,
    organisation: Organisation,
    name: str,
    sources: Sources,
    settings: TrainSettings,
    created_by: User | None = None,
    asked_by: str = "",
) -> Job:
    """Queue the training of an adapter on data sets of the organisation. Raises what refuses it, field by field.

    asked_by: in whose name, if not the actor's. A training that goes on from a version has that version's shape,
    whatever the settings say of it.
    """
    check_name(name)
    base = base_card()
    if base is None:
        raise Unavailable("no base model has been converted yet", retry_after=5)
    with tenant(organisation):
        loaded = load(sources)
        settings = shaped(settings, loaded.parent)
        check_together(settings, loaded, base)
        check_contents(loaded, settings.max_tokens)
        told = {**loaded.named(), "settings": settings.model_dump(mode="json")}
        job = job_create(
            organisation=organisation,
            kind=KIND,
            params={"name": name, **told},
            created_by=created_by,
            asked_by=asked_by,
        )
        audit_record(
            organisation=organisation,
            action="adapter.training_started",
            object_type="job",
            object_id=job.pk,
            data={"adapter": name, **told, "settings": settings.recorded()},
        )
    return job


def check_contents(loaded: Loaded, max_tokens: int) -> None:
    """Raise InvalidInput for data of which nothing is left, or which gives away what is evaluated on."""
    evaluation = loaded.datasets.get("evaluation")
    for role, row in loaded.datasets.items():
        if row is not evaluation:
            refuse_unfit(dataset=row, max_tokens=max_tokens, evaluation=evaluation, field=f"{role}_id")
