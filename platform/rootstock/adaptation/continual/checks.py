"""What does not go together in a plan: its alias, its data sets, its training. And who may answer for it."""

from collections.abc import Iterator

from rootstock.accounts.models import Membership
from rootstock.accounts.roles import ROLE_SCOPES
from rootstock.adaptation.checks import adapter_task, check_together
from rootstock.adaptation.continual.models import ContinualPlan
from rootstock.adaptation.continual.terms import Terms
from rootstock.adaptation.sources import Loaded, shaped
from rootstock.errors import DomainError, FieldProblem, Forbidden, InvalidInput, Unavailable
from rootstock.privacy.persons import name_of, person_behind
from rootstock.registry.base import base_card
from rootstock.registry.datasets.contents import dataset_file
from rootstock.registry.evaluation import MOST_ROWS
from rootstock.registry.models import AdapterVersion, Dataset
from rootstock.registry.names import check_name

SCOPE = "adapters:write"


def person_asking() -> str:
    """The person who acts now, or stands behind the key that does. Raises Forbidden where nobody is known."""
    person = person_behind(name_of())
    if not person.startswith("person:"):
        raise Forbidden("promotions are asked for in the name of a person, and none is known behind this key")
    return person


def may_still(person: str) -> bool:
    """Whether that person is a member who may train adapters. Call it inside `tenant()`."""
    kind, _, id = person.partition(":")
    if kind != "person" or not id.isdigit():
        return False
    found = (
        Membership.objects.filter(user=int(id), user__is_active=True).values_list("role", flat=True).first()
    )
    return found is not None and SCOPE in ROLE_SCOPES[found]


def check_plan(plan: ContinualPlan) -> None:
    """Raise InvalidInput naming every field that does not fit the others. Call it inside `tenant()`."""
    try:
        check_name(plan.collection)
    except InvalidInput as error:
        raise InvalidInput.field("collection", error.errors[0].reason) from None
    production, terms = plan.alias.current, plan.said
    if adapter_task(plan.task) != production.task:
        raise InvalidInput.field("task", f"{plan.alias.name} is for {production.task}, not for {plan.task}")
    problems = [*_test_sets(terms, production), *_training(plan, terms, production)]
    if problems:
        raise InvalidInput(f"{problems[0].field}: {problems[0].reason}", errors=problems)


def _test_sets(terms: Terms, production: AdapterVersion) -> Iterator[FieldProblem]:
    found = Dataset.objects.in_bulk(terms.measured_on)
    for at, pk in enumerate(terms.measured_on):
        field = "test_set_id" if at == 0 else "guard_ids"
        if reason := _unfit(found.get(pk), production):
            yield FieldProblem(field, reason)
        elif pk in terms.measured_on[:at]:
            yield FieldProblem(field, f"{found[pk].name} is named twice")


def _unfit(dataset: Dataset | None, production: AdapterVersion) -> str:
    """Why a version like this one cannot be measured on it; empty if it can."""
    if dataset is None:
        return "no such data set"
    if not dataset.is_test:
        return f"{dataset.name} is training data; use a frozen test set"
    if dataset.task != production.task:
        return f"{dataset.name} is for {dataset.task}, {production.reference} for {production.task}"
    if dataset.rows > MOST_ROWS:
        return f"{dataset.name} has {dataset.rows} examples, at most {MOST_ROWS} are run"
    try:
        dataset_file(dataset)
    except DomainError as error:
        return error.detail.removeprefix("dataset_id: ")
    return ""


def _training(plan: ContinualPlan, terms: Terms, production: AdapterVersion) -> Iterator[FieldProblem]:
    """What the training would be refused for, with its settings' fields as `settings.rank`."""
    base = base_card()
    if base is None:
        raise Unavailable("no base model has been converted yet", retry_after=5)
    learned = Dataset(name=plan.collection, task=plan.task)
    try:
        check_together(shaped(terms.settings, production), Loaded({"dataset": learned}, production), base)
    except InvalidInput as error:
        for found in error.errors:
            yield FieldProblem(f"settings.{found.field}", found.reason)
