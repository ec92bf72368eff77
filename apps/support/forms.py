"""Forms of the support pages."""

from typing import ClassVar

from django import forms

from apps.support.models import Conversation


class NewConversation(forms.ModelForm[Conversation]):
    """What a conversation is about, and whose it is."""

    class Meta:
        model = Conversation
        fields: ClassVar = ["subject", "customer"]
        help_texts: ClassVar = {"customer": "Your own reference, for example a customer number."}
