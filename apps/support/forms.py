"""Forms of the support pages."""

from django import forms


class NewConversation(forms.Form):
    """What a conversation is about, and whose it is."""

    subject = forms.CharField(max_length=160, required=False)
    customer = forms.CharField(
        max_length=120, required=False, help_text="Your own reference, for example a customer number."
    )
