"""Form fields from the fields of settings: one description of a setting feeds every surface."""

from collections.abc import Iterator
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from django import forms
from pydantic.fields import FieldInfo

from rootstock.adaptation.common_settings import CommonSettings


class LinesField(forms.CharField):
    """Texts, one a line."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(widget=forms.Textarea(attrs={"rows": 3}), **kwargs)

    def prepare_value(self, value: Any) -> Any:
        """What the text area shows."""
        return value if isinstance(value, str) else "\n".join(map(str, value or ()))

    def clean(self, value: Any) -> Any:
        """The lines that say something."""
        return tuple(line.strip() for line in super().clean(value).splitlines() if line.strip())


def form_fields(model: type[CommonSettings]) -> Iterator[tuple[str, forms.Field]]:
    """A form field for each setting, by its name."""
    for name, info in model.model_fields.items():
        yield name, _field(info)


def _field(info: FieldInfo) -> forms.Field:
    kinds = [kind for kind in (get_args(info.annotation) or [info.annotation]) if kind is not NoneType]
    given: dict[str, Any] = {
        "label": info.title, "help_text": info.description, "initial": info.default, "required": False,
    }  # fmt: skip
    if get_origin(info.annotation) is tuple:
        return _of_several(kinds[0], given)
    if get_origin(info.annotation) is Literal:
        return forms.ChoiceField(choices=_choices(info), **given)
    if bool in kinds and NoneType in get_args(info.annotation):
        choices = [("", "As memory asks"), ("true", "Always"), ("false", "Never")]
        return forms.TypedChoiceField(choices=choices, coerce="true".__eq__, empty_value=None, **given)
    if bool in kinds:
        return forms.BooleanField(**given)
    bounds = _bounds(info)
    required = NoneType not in get_args(info.annotation)
    given |= bounds | {"required": required}
    return forms.IntegerField(**given) if int in kinds else forms.FloatField(**given)


def _of_several(kind: Any, given: dict[str, Any]) -> forms.Field:
    """A choice of some, or one a line."""
    if get_origin(kind) is not Literal:
        return LinesField(**given)
    choices = [(one, one) for one in get_args(kind)]
    return forms.MultipleChoiceField(choices=choices, widget=forms.CheckboxSelectMultiple, **given)


def _choices(info: FieldInfo) -> list[tuple[str, str]]:
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    words: Any = extra.get("words") or {}
    return [(one, words.get(one, one.capitalize())) for one in get_args(info.annotation)]


def _bounds(info: FieldInfo) -> dict[str, Any]:
    """Least and most; an open end is left to the check behind the form."""
    found: dict[str, Any] = {}
    for rule in info.metadata:
        for name, bound in (("ge", "min_value"), ("le", "max_value")):
            if getattr(rule, name, None) is not None:
                found[bound] = getattr(rule, name)
        if getattr(rule, "gt", None) == 0:
            found["min_value"] = 0
    return found
