"""What a training will take, told before it is started."""

from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.adaptation.sources import Sources, load, shaped
from rootstock.adaptation.train_settings import TrainSettings
from rootstock.console import formats
from rootstock.registry.datasets import Estimate, estimate
from rootstock.registry.datasets.fitness import warnings_of
from rootstock.registry.datasets.names import is_looked_for
from rootstock.registry.datasets.report import Finding
from rootstock.registry.models import Dataset


def training_estimate(
    *, organisation: Organisation, sources: Sources, settings: TrainSettings
) -> Estimate | None:
    """Of these data sets with these settings; None while one of them has no report yet. Raises what refuses them."""
    with tenant(organisation):
        loaded = load(sources)
    others = {role: row for role, row in loaded.datasets.items() if role != "dataset"}
    told = shaped(settings, loaded.parent).model_dump(mode="json")
    return estimate(dataset=loaded.dataset, settings=told, **others)


def training_warnings(*, organisation: Organisation, sources: Sources) -> list[tuple[Dataset, list[Finding]]]:
    """What the reports of these data sets found that nobody has to confirm."""
    with tenant(organisation):
        rows = load(sources).datasets.values()
    return [(row, found) for row in rows if (found := warnings_of(row))]


def names_awaited(*, organisation: Organisation, sources: Sources) -> list[Dataset]:
    """Those of these data sets in which names of persons are still being looked for."""
    with tenant(organisation):
        return [row for row in load(sources).datasets.values() if is_looked_for(row)]


def span_words(found: Estimate) -> str:
    """How long, as a range."""
    return f"{formats.span(found.low)} to {formats.span(found.high)}"
