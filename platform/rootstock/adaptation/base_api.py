"""REST: starting the training of a base."""

from ninja import Router, Status

from rootstock.accounts.auth import ApiRequest, scope
from rootstock.adaptation.base_estimates import BaseEstimate
from rootstock.adaptation.base_schemas import BaseEstimateOut, BaseTrainIn
from rootstock.adaptation.base_services import base_train, base_training_estimate
from rootstock.errors import Conflict
from rootstock.idempotency.marks import keeps_its_own
from rootstock.jobs.models import Job
from rootstock.jobs.schemas import JobOut

router = Router(tags=["bases"])


@router.post("/bases/train", response={202: JobOut}, auth=scope("adapters:write"))
def train_base(request: ApiRequest, body: BaseTrainIn) -> Status[Job]:
    """Train a new base whole, or distil one into fewer layers; follow the job at /api/v1/jobs/{id}.

    The result is quantized and measured beside the base it was made from, on the evaluation set, and listed at
    /api/v1/bases. An operator serves it; adapters of other bases do not fit it.
    """
    job = base_train(
        organisation=request.auth.organisation,
        name=body.name,
        base=body.base,
        sources=body.sources(),
        settings=body.settings(),
        created_by=request.auth.user,
    )
    return Status(202, job)


@router.post("/bases/train/estimate", response=BaseEstimateOut, auth=scope("adapters:write"))
@keeps_its_own
def estimate_base_training(request: ApiRequest, body: BaseTrainIn) -> BaseEstimate:
    """Say what the training of a base would take. Nothing is started.

    409 while a data set's report, which counts its tokens, is not there yet; 422 where it needs more memory than it may
    have.
    """
    found = base_training_estimate(
        organisation=request.auth.organisation,
        sources=body.sources(),
        settings=body.settings(),
        base=body.base,
    )
    if found is None:
        raise Conflict("dataset_id: a data set's report with its tokens is not there yet; its page says why")
    return found
