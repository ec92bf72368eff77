"""Starting the training of a model: refused at once where it could not succeed."""

from apps.fraud.bundles.schemas import FraudTrainingIn
from apps.fraud.bundles.versions import in_force_locked
from apps.fraud.models import Label, Transaction
from rootstock.accounts.models import Organisation, User
from rootstock.accounts.tenancy import tenant
from rootstock.audit.services import audit_record
from rootstock.errors import Conflict, InvalidInput
from rootstock.jobs.models import FINAL_STATES, Job
from rootstock.jobs.services import job_create

KIND = "fraud.train_model"
LEAST_FRAUDS = 60
"""Three times `models_zoo.fraud.splits.LEAST`: training, validation and test days need so many each. Said here again,
since the web process does not import what trains."""


def training_start(
    *, organisation: Organisation, wanted: FraudTrainingIn | None = None, created_by: User | None = None
) -> Job:
    """Start the job. Raises InvalidInput with too few frauds, Conflict while another training runs."""
    params = (wanted or FraudTrainingIn()).model_dump()
    with tenant(organisation):
        frauds = frauds_labelled()
        if frauds < LEAST_FRAUDS:
            reason = (
                f"{frauds} payments are labelled fraud; at least {LEAST_FRAUDS} are needed, and {LEAST_FRAUDS // 3} in "
                "each of training, validation and test days"
            )
            raise InvalidInput.field("labels", reason)
        in_force_locked(organisation)  # whoever else asks now waits, and then sees this job
        if Job.objects.filter(kind=KIND).exclude(state__in=FINAL_STATES).exists():
            raise Conflict("a model is being trained already")
        job = job_create(organisation=organisation, kind=KIND, params=params, created_by=created_by)
        audit_record(
            organisation=organisation,
            action="fraud_model.training_asked",
            object_type="job",
            object_id=job.pk,
            data={"payments": Transaction.objects.count(), "frauds": frauds} | params,
        )
    return job


def frauds_labelled() -> int:
    """Payments that a label calls fraud. Call it inside `tenant()`."""
    return Label.objects.filter(fraud=True).values("transaction").distinct().count()


def last_training(*, organisation: Organisation) -> Job | None:
    """The newest training, whatever became of it."""
    with tenant(organisation):
        return Job.objects.filter(kind=KIND).order_by("-pk").first()
