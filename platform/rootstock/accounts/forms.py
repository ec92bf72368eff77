"""Forms of sign-in, invitations, keys, clients and settings."""

from typing import Any

from allauth.account.forms import LoginForm
from django import forms


class SignInForm(LoginForm):  # type: ignore[misc]
    """allauth's own, with the field named as password managers and the API's readers know it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"] = self.fields.pop("login")
        self.fields["password"] = self.fields.pop("password")
        self.fields["username"].label = "User name or e-mail"
        for field, complete in (("username", "username"), ("password", "current-password")):
            self.fields[field].widget.attrs = {"autocomplete": complete}
        self.fields["password"].help_text = ""

    def clean(self) -> dict[str, Any]:
        """allauth looks for `login`."""
        self.cleaned_data["login"] = self.cleaned_data.get("username", "").strip()
        cleaned: dict[str, Any] = super().clean()
        return cleaned

    def clean_login(self) -> str:
        """There is no such field here."""
        return str(self.cleaned_data["login"])
