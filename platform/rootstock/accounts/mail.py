"""E-mail of the accounts. Addresses and links never reach the log."""

import logging
import smtplib

from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string

from rootstock.accounts.models import Invitation

log = logging.getLogger(__name__)


def send_invitation(invitation: Invitation, link: str) -> bool:
    """Mail an invitation; False when it could not be sent."""
    if not settings.MAIL_CONFIGURED:
        return False
    context = {"invitation": invitation, "organisation": invitation.organisation, "link": link}
    text = render_to_string("accounts/mail/invitation.txt", context)
    try:
        send_mail(f"You are invited to {invitation.organisation.name}", text, None, [invitation.email])
    except (smtplib.SMTPException, OSError) as error:
        log.warning("an invitation could not be sent: %s", type(error).__name__)
        return False
    return True
