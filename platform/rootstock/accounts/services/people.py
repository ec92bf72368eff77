"""Writes: people who can sign in, and their sessions."""

from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from rootstock.accounts.mail import send_address_changed
from rootstock.accounts.models import User
from rootstock.accounts.personal_audit import personal_record
from rootstock.errors import Conflict, InvalidInput, NotFound


def user_create(*, username: str, password: str, email: str = "", full_name: str = "") -> User:
    """Create a person who can sign in."""
    if User.objects.filter(username__iexact=username).exists():
        raise Conflict(f"a user {username} exists already")
    first, _, last = full_name.strip().partition(" ")
    user = User(username=username, email=email, first_name=first, last_name=last)
    try:
        User._meta.get_field("username").run_validators(username)
    except ValidationError as error:
        raise InvalidInput.field("username", " ".join(error.messages)) from None
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise InvalidInput.field("password", " ".join(error.messages)) from None
    user.set_password(password)
    _save(user)
    return user


@transaction.atomic
def person_update(*, user: User, full_name: str, email: str) -> User:
    """Change one's own name and address. The address must not be another person's: one can sign in with it.

    The earlier address is told by mail, the trails of the person's organisations which fields changed.
    """
    try:
        validate_email(email)
    except ValidationError:
        if email:
            raise InvalidInput.field("email", "is not an e-mail address") from None
    if email.lower() != user.email.lower():
        EmailAddress.objects.filter(user=user).delete()  # nobody has shown that the new one is theirs
    before = {"full_name": user.get_full_name(), "email": user.email}
    user.first_name, _, user.last_name = full_name.strip().partition(" ")
    user.email = email
    if len(user.first_name) > 150 or len(user.last_name) > 150:
        raise InvalidInput.field("full_name", "is too long")
    _save(user, ["first_name", "last_name", "email"])
    _change_tell(user, before)
    return user


def _save(user: User, fields: list[str] | None = None) -> None:
    """An address is one account's, whoever came first: one can sign in with it."""
    try:
        with transaction.atomic():
            user.save(update_fields=fields)
    except IntegrityError as error:
        if "one_account_per_address" not in str(error):
            raise
        raise Conflict("another account uses this e-mail address") from None


def _change_tell(user: User, before: dict[str, str]) -> None:
    after = {"full_name": user.get_full_name(), "email": user.email}
    if fields := [name for name in before if before[name] != after[name]]:
        personal_record(user, "person.changed", {"fields": fields})
    if before["email"] and "email" in fields:
        transaction.on_commit(lambda: send_address_changed(user, before["email"]))


@transaction.atomic
def session_end(*, user: User, session_id: int) -> None:
    """Sign one of the person's browsers out."""
    found = UserSession.objects.filter(user=user, pk=session_id).first()
    if found is None:
        raise NotFound("no such session")
    found.end()
    personal_record(user, "session.ended")


@transaction.atomic
def other_sessions_end(*, user: User, keep: str) -> int:
    """Sign the person's other browsers out; returns how many there were."""
    others = list(UserSession.objects.filter(user=user).exclude(session_key=keep))
    for found in others:
        found.end()
    if others:
        personal_record(user, "session.ended", {"sessions": len(others)})
    return len(others)
