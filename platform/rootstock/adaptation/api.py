"""REST: starting a training."""

from ninja import Router, Status

from rootstock.accounts.auth import ApiRequest, scope
from rootstock.adaptation import services
from rootstock.adaptation.estimates import training_estimate
from rootstock.adaptation.schemas import EstimateOut, TrainIn
from rootstock.errors import Conflict
from rootstock.idempotency.marks import keeps_its_own
from rootstock.jobs.models import Job
from rootstock.jobs.schemas import JobOut
from rootstock.registry.datasets import Estimate

router = Router(tags=["adapters"])


@router.post("/adapters/train", response={202: JobOut}, auth=scope("adapters:write"))
def train_adapter(request: ApiRequest, body: TrainIn) -> Status[Job]:
    """Start a training job; follow it at /api/v1/jobs/{id}. Its result names the adapter."""
    job = services.adapter_train(
        organisation=request.auth.organisation,
        name=body.name,
        sources=body.sources(),
        settings=body.settings(),
        created_by=request.auth.user,
    )
    return Status(202, job)


@router.post("/adapters/train/estimate", response=EstimateOut, auth=scope("adapters:write"))
@keeps_its_own
def estimate_training(request: ApiRequest, body: TrainIn) -> Estimate:
    """Say what a training would take: steps, tokens, seconds, memory. Nothing is started.

    409 while a data set's report, which counts its tokens, is not there yet.
    """
    found = training_estimate(
        organisation=request.auth.organisation, sources=body.sources(), settings=body.settings()
    )
    if found is None:
        raise Conflict("dataset_id: a data set's report with its tokens is not there yet; its page says why")
    return found
