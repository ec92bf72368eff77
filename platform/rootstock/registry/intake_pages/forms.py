"""The form of an adapter that somebody brings."""

from collections.abc import Sequence
from typing import Any

from django import forms

from rootstock.files.uploads import Upload


class FilesInput(forms.ClearableFileInput):
    """Several files at once."""

    allow_multiple_selected = True


class FilesField(forms.FileField):
    """The files of an adapter, in the order in which they came."""

    def clean(self, data: Any, initial: Any = None) -> list[Upload]:
        """Each of them."""
        given: Sequence[Any] = data if isinstance(data, Sequence) else [data]
        return [super(FilesField, self).clean(one, initial) for one in given or [None]]


class AdapterForm(forms.Form):
    """A name and the files."""

    name = forms.CharField(
        label="Name",
        max_length=63,
        help_text="Small letters, digits and hyphens, such as support-tone. Versions of one adapter share it.",
    )
    files = FilesField(label="Files", widget=FilesInput)  # type: ignore[assignment]  # Django takes it off the class
