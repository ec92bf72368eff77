"""The playground: one prompt, asked of one model or of two."""

from typing import Any

from django import forms

from rootstock.accounts.actors import Actor
from rootstock.accounts.models import Organisation
from rootstock.errors import FieldProblem, InvalidInput
from rootstock.gateway.served import Served, model_find, models_list
from rootstock.gateway.services import Generation, generations_open

ALTERNATIVES = 5  # told with each token
CHAT = "chat"
MOST_TOKENS, MOST_CHARACTERS = 1024, 20_000
Choices = list[tuple[str, list[tuple[str, str]]]]


class PlaygroundForm(forms.Form):
    """What to ask, of which models, and how tokens are chosen. The second model may be none."""

    model_a = forms.ChoiceField(label="Model A")
    model_b = forms.ChoiceField(label="Model B", required=False)
    system = forms.CharField(
        label="System prompt", required=False, max_length=MOST_CHARACTERS, strip=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )  # fmt: skip
    prompt = forms.CharField(
        label="Prompt", max_length=MOST_CHARACTERS, strip=False, widget=forms.Textarea(attrs={"rows": 4})
    )
    max_tokens = forms.IntegerField(label="At most tokens", min_value=1, max_value=MOST_TOKENS, initial=128)
    temperature = forms.FloatField(
        min_value=0, max_value=2, initial=0, step_size=0.1, help_text="0 takes the likeliest token."
    )
    top_p = forms.FloatField(label="Top p", min_value=0.01, max_value=1, initial=1, step_size=0.01)
    top_k = forms.IntegerField(
        label="Top k", min_value=0, max_value=1000, initial=0, help_text="0 leaves all in."
    )
    min_p = forms.FloatField(label="Min p", min_value=0, max_value=1, initial=0, step_size=0.01)
    repetition_penalty = forms.FloatField(min_value=0.5, max_value=2, initial=1, step_size=0.05)
    seed = forms.IntegerField(
        required=False, min_value=0, max_value=2**31 - 1, help_text="Repeats what chance chose."
    )

    def __init__(self, *args: Any, choices: Choices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, offered in (("model_a", choices), ("model_b", [("", "None: one answer alone"), *choices])):
            field = self.fields[name]
            if isinstance(field, forms.ChoiceField):
                field.choices = offered
        self.fields["prompt"].widget.attrs["placeholder"] = "What both are asked"
        for name in ("system", "prompt"):  # a browser would cut what is pasted and say nothing
            del self.fields[name].widget.attrs["maxlength"]

    def clean_prompt(self) -> str:
        """White space alone asks nothing."""
        prompt: str = self.cleaned_data["prompt"]
        if not prompt.strip():
            raise forms.ValidationError("Write something to ask.")
        return prompt

    @property
    def sampling(self) -> dict[str, Any]:
        """As the engine takes it."""
        names = ("max_tokens", "temperature", "top_p", "top_k", "min_p", "repetition_penalty", "seed")
        return {name: self.cleaned_data[name] for name in names} | {"logprobs": ALTERNATIVES}

    @property
    def messages(self) -> list[dict[str, str]]:
        """The chat so far: the system prompt where there is one, and the prompt."""
        system, prompt = self.cleaned_data["system"], self.cleaned_data["prompt"]
        first = [{"role": "system", "content": system}] if system.strip() else []
        return [*first, {"role": "user", "content": prompt}]


def model_choices(organisation: Organisation, *, tries: bool) -> Choices:
    """The base, names that mean one version, and versions: whatever can hold a chat. tries: see `models_list`."""
    models = models_list(organisation, tries=tries)
    chats = [one for one in models if one.parent and one.task == CHAT]
    aliases = [(alias, f"{alias} (now {one.id})") for one in chats for alias in one.aliases]
    base = [(one.id, f"{one.root}, without an adapter") for one in models if one.parent is None]
    groups = {"Base": base, "Aliases": aliases, "Versions": [(one.id, one.id) for one in chats]}
    return [(label, offered) for label, offered in groups.items() if offered]


def answers_open(
    *, organisation: Organisation, actor: Actor, form: PlaygroundForm, tries: bool
) -> list[tuple[str, Served, str]]:
    """Ask every chosen model at once: its side ("a", "b"), the model and the stream of its answer.

    Raises InvalidInput naming the form's fields, or what refuses a call: a spent budget, no place, no worker.
    """
    if not form.is_valid():
        problems = [FieldProblem(name, str(text)) for name, texts in form.errors.items() for text in texts]
        raise InvalidInput(f"{problems[0].field}: {problems[0].reason}", errors=problems)
    sides = [side for side in ("a", "b") if form.cleaned_data[f"model_{side}"]]
    names = [form.cleaned_data[f"model_{side}"] for side in sides]
    models = [model_find(organisation, name, CHAT, tries=tries) for name in names]
    wanted = [Generation(model, form.messages, form.sampling) for model in models]
    streams = generations_open(organisation=organisation, actor=actor, wanted=wanted)
    return list(zip(sides, models, streams, strict=True))
