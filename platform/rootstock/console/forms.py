"""Forms of the console."""

from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm


class SignInForm(AuthenticationForm):
    """Django's own, with words that name what to do next."""

    error_messages = {
        "invalid_login": "That name and password do not match an account. Both are case-sensitive.",
        "inactive": "This account is switched off. Ask an administrator.",
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = "User name"
        self.fields["password"].widget = forms.PasswordInput(attrs={"autocomplete": "current-password"})
