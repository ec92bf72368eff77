"""The form of a plan."""

from collections.abc import Sequence
from typing import Any

from django import forms

from rootstock.adaptation.continual.models import ContinualPlan
from rootstock.adaptation.continual.schemas import plan_fields, terms_of
from rootstock.adaptation.forms import SettingsForm, dataset_choice
from rootstock.registry.models import Alias, Dataset

WHAT = ("alias", "collection", "least_examples", "replay_share")
MEASURED = ("test_set_id", "minimal_gain", "guard_ids", "largest_loss")
WHEN = ("cron", "timezone")
BETWEEN = "/"  # a collection's name and its task


class PlanForm(SettingsForm):
    """What an alias learns from by the clock, what it is measured on, when, and how it is trained."""

    # What goes on from a version has its shape; there is no second data set, and none to evaluate on meanwhile.
    without = frozenset(
        {"rank", "alpha", "rs_lora", "targets", "last_layers", "multi_label", "mix_schedule", "patience",
         "evaluate_every"}
    )  # fmt: skip
    apart = frozenset(WHAT)
    alias = forms.ChoiceField(help_text="Each training goes on from what it serves.")
    collection = forms.ChoiceField(
        label="Learns from data sets called",
        help_text="Each one that is new; upload what is labelled by this name.",
    )
    least_examples = forms.IntegerField(
        label="New examples, at least", min_value=1, max_value=20_000, initial=50,
        help_text="With fewer nothing is trained; they wait for the next time.",
    )  # fmt: skip
    test_set_id = forms.ChoiceField(
        label="Test set that decides", help_text="A frozen one: it is never trained on."
    )
    minimal_gain = forms.FloatField(
        label="Gain, at least", min_value=0.0001, max_value=1, initial=0.01,
        help_text="Of its figure (ROUGE-L, macro-F1 or entity F1, 0 to 1), over what serves now.",
    )  # fmt: skip
    guard_ids = forms.MultipleChoiceField(
        label="Guards", required=False, widget=forms.CheckboxSelectMultiple,
        help_text="Test sets of what must not be forgotten.",
    )  # fmt: skip
    largest_loss = forms.FloatField(
        label="Loss on a guard, at most", min_value=0, max_value=1, initial=0.02,
        help_text="What loses more on any of them is not put forward.",
    )  # fmt: skip
    cron = forms.CharField(
        max_length=120, label="Runs", initial="0 3 * * *",
        help_text="Minute, hour, day of month, month, day of week: 0 3 * * 1-5 is 03:00 from Monday to Friday.",
    )  # fmt: skip
    timezone = forms.CharField(
        max_length=64, initial="UTC", label="Time zone", help_text="Such as Europe/Berlin."
    )
    version = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def __init__(
        self,
        *args: Any,
        aliases: Sequence[Alias],
        collections: Sequence[tuple[str, str]],
        test_sets: Sequence[Dataset],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._choices("alias", [(one.name, f"{one.name} ({one.current.task})") for one in aliases])
        named = [(f"{name}{BETWEEN}{task}", f"{name} ({task})") for name, task in collections]
        self._choices("collection", named)
        sets = [(str(one.pk), dataset_choice(one)) for one in test_sets]
        self._choices("test_set_id", sets)
        self._choices("guard_ids", sets)
        self.fields["replay_share"].label = "Share of replayed examples"
        self.order_fields([*WHAT, *MEASURED, *WHEN])

    def _choices(self, name: str, choices: list[tuple[str, str]]) -> None:
        field = self.fields[name]
        several = isinstance(field, forms.MultipleChoiceField)
        if isinstance(field, forms.ChoiceField):
            field.choices = choices if several else [("", "Choose"), *choices]

    def wanted(self) -> dict[str, Any]:
        """As the services take it."""
        given = self.cleaned_data
        name, _, task = given["collection"].partition(BETWEEN)
        return {
            "collection": name, "task": task, "cron": given["cron"], "timezone": given["timezone"],
            "terms": terms_of(given | {"settings": self.settings}),
        }  # fmt: skip

    @property
    def parts(self) -> list[tuple[str, list[forms.BoundField]]]:
        """What is always shown, under its headings."""
        titles = (("What it learns", WHAT), ("When it is better", MEASURED), ("When it runs", WHEN))
        return [(title, [self[name] for name in names]) for title, names in titles]


def shown(plan: ContinualPlan) -> dict[str, Any]:
    """A plan as its form begins."""
    fields = plan_fields(plan)
    settings: dict[str, Any] = fields.pop("settings")
    guards = [str(one) for one in fields["guard_ids"]]
    return settings | fields | {
        "alias": plan.alias.name, "collection": f"{plan.collection}{BETWEEN}{plan.task}", "cron": plan.cron,
        "timezone": plan.timezone, "version": plan.version, "guard_ids": guards,
    }  # fmt: skip
