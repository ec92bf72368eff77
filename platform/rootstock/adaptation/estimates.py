"""What a training will take, and what its data should be looked at for, before it is started."""

from dataclasses import dataclass

from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.adaptation.sources import ROLES, Sources, load, shaped
from rootstock.adaptation.train_settings import TrainSettings
from rootstock.errors import Conflict, FieldProblem
from rootstock.registry.datasets import Estimate, estimate
from rootstock.registry.datasets.fitness import warnings_of
from rootstock.registry.datasets.report import Finding
from rootstock.registry.models import Dataset


@dataclass(slots=True, frozen=True)
class Foreseen:
    """The estimate, and the warnings of each data set's report."""

    estimate: Estimate
    warnings: list[tuple[Dataset, list[Finding]]]


def training_foresee(*, organisation: Organisation, sources: Sources, settings: TrainSettings) -> Foreseen:
    """Raises what is wrong with the sources, and Conflict naming a data set whose report is not there yet."""
    with tenant(organisation):
        loaded = load(sources)
    told = shaped(settings, loaded.parent).model_dump()
    found = estimate(settings=told, **{role: loaded.datasets.get(role) for role in ROLES})  # type: ignore[arg-type]
    if found is None:
        role, row = next((role, row) for role, row in loaded.datasets.items() if not row.report.get("tokens"))
        reason = f"the report of {row.name} with its tokens is not there yet; its page says why"
        raise Conflict(f"{role}_id: {reason}", errors=[FieldProblem(f"{role}_id", reason)])
    warnings = [(row, warnings_of(row)) for row in loaded.datasets.values()]
    return Foreseen(found, [(row, some) for row, some in warnings if some])
