"""Forms of sign-in, invitations, keys, clients and settings."""

from typing import Any

from allauth.account.forms import LoginForm, ResetPasswordForm
from allauth.mfa.webauthn.forms import AddWebAuthnForm
from django import forms

from rootstock.accounts.models import Role
from rootstock.accounts.roles import SCOPES


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


class ResetForm(ResetPasswordForm):  # type: ignore[misc]
    """allauth's own, with this product's label."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"].label = "E-mail address"
        self.fields["email"].widget.attrs.pop("placeholder", None)


class PasskeyForm(AddWebAuthnForm):  # type: ignore[misc]
    """allauth's own, in this product's words: a passkey signs in by itself unless somebody wants otherwise."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        passwordless = self.fields["passwordless"]
        passwordless.label, passwordless.initial = "Sign in with it alone, without a password", True
        passwordless.help_text = "It then asks for your finger, face or PIN."


class InviteForm(forms.Form):
    """Whom to invite, as what."""

    email = forms.EmailField(label="E-mail address", widget=forms.EmailInput(attrs={"autocomplete": "off"}))
    role = forms.ChoiceField(choices=[("", "Choose a role"), *Role.choices])


class RoleForm(forms.Form):
    """A member's role."""

    role = forms.ChoiceField(choices=Role.choices)


class JoinForm(forms.Form):
    """What a new person chooses."""

    full_name = forms.CharField(
        label="Your name", max_length=200, widget=forms.TextInput(attrs={"autocomplete": "name"})
    )
    username = forms.CharField(
        label="User name",
        max_length=150,
        help_text="You sign in with it or with your e-mail address.",
        widget=forms.TextInput(attrs={"autocomplete": "username"}),
    )
    password = forms.CharField(
        strip=False,
        help_text="At least 10 characters; nothing common, and not your name.",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )


class ProfileForm(forms.Form):
    """One's own name and address."""

    full_name = forms.CharField(
        label="Name", max_length=200, required=False, widget=forms.TextInput(attrs={"autocomplete": "name"})
    )
    email = forms.EmailField(
        label="E-mail address",
        required=False,
        help_text="You may sign in with it; a link to reset your password goes there.",
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )


class OrganisationForm(forms.Form):
    """The organisation's settings."""

    name = forms.CharField(max_length=120)
    session_hours = forms.IntegerField(
        label="Hours until people sign in again",
        required=False,
        min_value=1,
        help_text="Counted from signing in. Empty: as the installation says.",
    )
    mfa_required = forms.BooleanField(label="Everybody signs in with two factors", required=False)


class ScopesForm(forms.Form):
    """A name, scopes of which only the creator's own are offered, and a rate."""

    name = forms.CharField(max_length=80, help_text="What uses it, such as “payments gateway”.")
    scopes = forms.MultipleChoiceField(widget=forms.CheckboxSelectMultiple)
    rate_per_minute = forms.IntegerField(
        label="Requests a minute", required=False, min_value=1, help_text="Empty: as the installation says."
    )

    def __init__(self, *args: Any, granted: frozenset[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offered = [(scope, f"{label} ({scope})") for scope, label in SCOPES.items() if scope in granted]
        scopes = self.fields["scopes"]
        if isinstance(scopes, forms.MultipleChoiceField):
            scopes.choices = offered


class KeyForm(ScopesForm):
    """A new key."""

    expires_in_days = forms.TypedChoiceField(
        label="Works for",
        choices=[(30, "30 days"), (90, "90 days"), (365, "a year"), (0, "until it is revoked")],
        initial=90,
        coerce=int,
    )
    field_order = ("name", "expires_in_days", "rate_per_minute", "scopes")


class RotateForm(forms.Form):
    """How long the old token or secret goes on working beside the new one."""

    overlap_hours = forms.TypedChoiceField(
        label="The old one works for another",
        choices=[(0, "no time: it ends now"), (1, "hour"), (24, "day"), (168, "week"), (720, "30 days")],
        initial=24,
        coerce=int,
    )
