"""E-mail of the accounts. Addresses and links never reach the log."""

import logging
import smtplib
from collections.abc import Callable

from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string

from rootstock.accounts.models import Invitation, User

log = logging.getLogger(__name__)


def send_invitation(invitation: Invitation, link: str) -> bool:
    """Mail an invitation; False when it could not be sent."""
    context = {"invitation": invitation, "organisation": invitation.organisation, "link": link}
    text = render_to_string("accounts/mail/invitation.txt", context)
    subject = f"You are invited to {invitation.organisation.name}"
    return _sent("an invitation", subject, text, invitation.email)


def send_address_changed(user: User, earlier: str) -> bool:
    """Tell a person's earlier address that it is no longer theirs here; False when it could not be sent."""
    text = render_to_string("accounts/mail/address_changed.txt", {"user": user})
    return _sent("a notice", "Your e-mail address on Rootstock was changed", text, earlier)


def _sent(what: str, subject: str, text: str, address: str) -> bool:
    if not settings.MAIL_CONFIGURED:
        return False
    return handed_over(what, lambda: send_mail(subject, text, None, [address]))


def handed_over(what: str, send: Callable[[], object]) -> bool:
    """Whether the mail server took it. It is asked within the request and has EMAIL_TIMEOUT for each step: links and
    addresses stay out of the task queue, and who invites learns at once when the link has to be handed on."""
    try:
        send()
    except (smtplib.SMTPException, OSError) as error:
        log.warning("%s could not be sent: %s", what, type(error).__name__)
        return False
    return True
