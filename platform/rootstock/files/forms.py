"""The form of the drop zone."""

from django import forms

from rootstock.files.purposes import PURPOSES


class UploadForm(forms.Form):
    """A file and what it is for."""

    purpose = forms.ChoiceField(
        label="For", choices=[(name, purpose.label) for name, purpose in PURPOSES.items() if purpose.offered]
    )
    subject_id = forms.UUIDField(
        label="About a person",
        required=False,
        help_text="The person's id, from Privacy → Find a person. The content is then encrypted under their key.",
    )
    file = forms.FileField(label="File")
