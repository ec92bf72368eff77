"""Where a data set was used."""

from dataclasses import dataclass

from django.db.models import Q

from rootstock.accounts.tenancy import tenant
from rootstock.jobs.models import Job
from rootstock.registry.models import AdapterVersion, Dataset, Evaluation

TRAINING = "adapters.train"
TRAININGS = (TRAINING, "bases.train")
ROLES = ("dataset", "evaluation", "mix", "replay")
MOST = 100


@dataclass(slots=True, frozen=True)
class Uses:
    """The newest hundred of each, the newest first."""

    adapters: list[AdapterVersion]
    trainings: list[Job]
    evaluations: list[Evaluation]
    children: list[Dataset]


def dataset_uses(*, dataset: Dataset) -> Uses:
    """Adapters trained on it, trainings that name it in any role, evaluations on it, and what was made of it."""
    named = Q()
    for role in ROLES:
        named |= Q(**{f"params__{role}": str(dataset.pk)})
    with tenant(dataset.organisation_id):
        return Uses(
            list(AdapterVersion.objects.filter(dataset=dataset).order_by("-pk")[:MOST]),
            list(Job.objects.filter(named, kind__in=TRAININGS).order_by("-pk")[:MOST]),
            list(Evaluation.objects.filter(dataset=dataset).select_related("version").order_by("-pk")[:MOST]),
            list(Dataset.objects.filter(parent=dataset).defer("report").order_by("-pk")[:MOST]),
        )
