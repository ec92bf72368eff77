"""The training of a run: its examples as data sets, its job, and what came out."""

from collections.abc import Sequence
from dataclasses import dataclass

from rootstock.accounts.models import User
from rootstock.accounts.tenancy import tenant
from rootstock.adaptation.continual.models import ContinualRun
from rootstock.adaptation.services import adapter_train
from rootstock.adaptation.sources import Sources
from rootstock.jobs.models import Job, JobState
from rootstock.registry.datasets.combining import asked_in, dataset_combine, examples_gather
from rootstock.registry.models import AdapterVersion, Dataset

NAMED = 40  # characters of a collection's name that the names of its parts begin with


@dataclass(slots=True, frozen=True)
class Examples:
    """What a run learns from. Without `new`, `told` says why there is nothing to learn."""

    new: Dataset | None
    replay: Dataset | None
    left_out: int
    told: str = ""


def examples_of_run(run: ContinualRun) -> Examples:
    """The new examples as one data set and the earlier ones as another: each once, and none of a test set.

    Raises what refuses a data set that has gone meanwhile. Not inside `tenant()`: it reads and writes files.
    """
    terms = run.said
    asked = asked_in(_rows(run, [str(one) for one in terms.measured_on]))
    before = _rows(run, run.earlier)
    known = examples_gather(before, asked=asked)
    parts = _rows(run, run.fresh)
    fresh = examples_gather(parts, known.seen, asked)
    if len(fresh.lines) < terms.least_examples:
        told = f"{len(fresh.lines):,} new examples of {run.collection}; at least {terms.least_examples:,} are needed"
        return Examples(None, None, fresh.left_out, told)
    name = run.collection[:NAMED]
    new = dataset_combine(name=f"{name}-new", parts=parts, lines=fresh.lines)
    replay = None
    if known.lines and terms.settings.replay_share:
        replay = dataset_combine(name=f"{name}-replay", parts=before, lines=known.lines)
    return Examples(new, replay, fresh.left_out)


def _rows(run: ContinualRun, ids: Sequence[str]) -> list[Dataset]:
    """Data sets in the order in which they were uploaded."""
    with tenant(run.organisation_id):
        return list(Dataset.objects.filter(pk__in=ids).select_related("organisation").order_by("pk"))


def training_begin(run: ContinualRun) -> Job:
    """Its job, which goes on from what served when the run began. Inside the transaction that holds the run."""
    if run.dataset is None or run.production is None:
        raise ValueError("a run trains on what it has gathered")
    sources = Sources(
        run.dataset.pk,
        replay=run.replay.pk if run.replay else None,
        start_from=run.production.reference,
    )
    return adapter_train(
        organisation=run.organisation,
        name=run.production.name,
        sources=sources,
        settings=run.said.settings,
        created_by=maker_of(run),
        asked_by=run.asked_by,
    )


def maker_of(run: ContinualRun) -> User | None:
    """The person in whose name it runs."""
    return User.objects.filter(pk=int(run.asked_by.partition(":")[2])).first()


def training_outcome(run: ContinualRun) -> tuple[AdapterVersion | None, str]:
    """The version that came out, or why none did; neither while the training goes on. Inside `tenant()`."""
    job = run.training
    if job is None:
        return None, "the training is no longer on record"
    if not job.is_final:
        return None, ""
    if job.state != JobState.SUCCEEDED:
        return None, job_told("the training", job)
    digest = (job.result or {}).get("digest", "")
    version = AdapterVersion.objects.select_related("base").filter(digest=digest).first()
    return version, "" if version else "the version that was trained is gone"


def job_told(what: str, job: Job) -> str:
    """How a job ended that did not succeed."""
    if job.state == JobState.CANCELLED:
        return f"{what} was cancelled"
    return f"{what} failed: {(job.error or {}).get('detail') or 'no reason was told'}"
