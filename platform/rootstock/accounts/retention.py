"""What signing in leaves behind has an end: sessions, failed attempts, tokens, confirmations, invitations."""

from datetime import timedelta
from importlib import import_module

from allauth.account.models import EmailConfirmation
from allauth.idp.oidc.models import Token
from allauth.usersessions.models import UserSession
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db.models import Q
from django.utils import timezone

from rootstock.accounts.actors import Actor, acting
from rootstock.accounts.models import Invitation, Organisation
from rootstock.accounts.rounds import each_organisation
from rootstock.accounts.tenancy import tenant
from rootstock.audit.services import audit_record


def sign_in_traces_purge() -> int:
    """Delete what counts no more of every person: returns how many attempts, browsers and tokens."""
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()
    EmailConfirmation.objects.delete_expired_confirmations()
    forgotten = timezone.now() - timedelta(seconds=settings.LOCKOUT_S)
    past = (
        AccessAttempt.objects.filter(attempt_time__lt=forgotten),
        UserSession.objects.exclude(session_key__in=Session.objects.values("session_key")),
        Token.objects.expired(),
    )
    return sum(rows.delete()[0] for rows in past)


def invitations_purge() -> int:
    """Delete invitations that were used, revoked or left to expire long ago; their addresses go with them."""
    return each_organisation(_purge)


def _purge(organisation: Organisation) -> int:
    before = timezone.now() - timedelta(days=settings.INVITATION_KEEP_DAYS)
    ended = Q(accepted_at__lt=before) | Q(revoked_at__lt=before) | Q(accepted_at=None, expires_at__lt=before)
    with tenant(organisation), acting(Actor("system", "retention")):
        deleted, _ = Invitation.objects.filter(ended).delete()
        if deleted:
            audit_record(
                organisation=organisation,
                action="invitations.purged",
                object_type="organisation",
                object_id=organisation.pk,
                data={"before": before.isoformat(), "deleted": deleted},
            )
    return deleted
