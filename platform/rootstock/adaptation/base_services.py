"""Starting the training of a base, and saying before what it will take."""

from rootstock.accounts.models import Organisation, User
from rootstock.accounts.tenancy import tenant
from rootstock.adaptation.base_checks import check_base_together
from rootstock.adaptation.base_estimates import BaseEstimate, base_estimate
from rootstock.adaptation.base_settings import BaseTrainSettings
from rootstock.adaptation.services import check_contents
from rootstock.adaptation.sources import Sources, load
from rootstock.audit.services import audit_record
from rootstock.errors import Unavailable
from rootstock.jobs.models import Job
from rootstock.jobs.services import job_create
from rootstock.registry.base_shapes import BaseShape, served_shape, trained_shape
from rootstock.registry.names import check_name
from rootstock.registry.trained_bases import trained_base_named

KIND = "bases.train"


def base_train(
    *,
    organisation: Organisation,
    name: str,
    sources: Sources,
    settings: BaseTrainSettings,
    base: str = "",
    created_by: User | None = None,
) -> Job:
    """Queue the training of a new base from the served one, or from one that the organisation trained.

    Raises what refuses it, field by field: InvalidInput also where it needs more memory than it may have.
    """
    check_name(name)
    shape = _shape(organisation, base)
    with tenant(organisation):
        loaded = load(sources)
        check_base_together(settings, loaded, shape)
        check_contents(loaded, settings.max_tokens)
        named = {role: str(row.pk) for role, row in loaded.datasets.items()}
        params = {"name": name, "base": base, **named, "settings": settings.model_dump(mode="json")}
        job = job_create(organisation=organisation, kind=KIND, params=params, created_by=created_by)
        audit_record(
            organisation=organisation,
            action="base.training_started",
            object_type="job",
            object_id=job.pk,
            data={"base": name, "from": base, **named, "settings": settings.recorded()},
        )
    return job


def base_training_estimate(
    *, organisation: Organisation, sources: Sources, settings: BaseTrainSettings, base: str = ""
) -> BaseEstimate | None:
    """What it will take; None while a data set has no report yet. Raises what refuses it."""
    shape = _shape(organisation, base)
    with tenant(organisation):
        loaded = load(sources)
    check_base_together(settings, loaded, shape)
    return base_estimate(organisation=organisation, loaded=loaded, settings=settings, shape=shape)


def _shape(organisation: Organisation, base: str) -> BaseShape:
    if base:
        return trained_shape(trained_base_named(organisation=organisation, reference=base))
    served = served_shape()
    if served is None:
        raise Unavailable("no base model has been converted yet", retry_after=5)
    return served
