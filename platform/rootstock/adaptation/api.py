"""REST: starting a training."""

from ninja import Router, Status

from rootstock.accounts.auth import ApiRequest, scope
from rootstock.adaptation import services
from rootstock.adaptation.schemas import TrainIn
from rootstock.jobs.models import Job
from rootstock.jobs.schemas import JobOut

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
