"""REST: starting the training of a base."""

from ninja import Router, Status

from rootstock.accounts.auth import ApiRequest, scope
from rootstock.adaptation.base_schemas import BaseTrainIn
from rootstock.adaptation.base_services import base_train
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
        dataset_id=body.dataset_id,
        evaluation_id=body.evaluation_id,
        settings=body.settings(),
        created_by=request.auth.user,
    )
    return Status(202, job)
