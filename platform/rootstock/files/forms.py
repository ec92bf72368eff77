"""The form of the drop zone."""

from django import forms

from rootstock.files.purposes import PURPOSES


class UploadForm(forms.Form):
    """A file and what it is for."""

    purpose = forms.ChoiceField(
        label="For", choices=[(name, purpose.label) for name, purpose in PURPOSES.items()]
    )
    file = forms.FileField(label="File")
