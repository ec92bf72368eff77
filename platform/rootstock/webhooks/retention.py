"""Events are kept for a while, so that their deliveries can be looked up and replayed."""

from collections import Counter
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from rootstock.accounts.models import Organisation
from rootstock.accounts.rounds import each_organisation
from rootstock.accounts.tenancy import tenant
from rootstock.privacy.wrapping import Wrapper
from rootstock.webhooks.models import DeliveryState, WebhookEndpoint, WebhookEvent
from rootstock.webhooks.signing import master_key_of, secrets_renew

PURGED_AT_ONCE = 1000


def events_purge() -> int:
    """Delete events past their time whose deliveries have all ended. Returns how many."""
    oldest = timezone.now() - timedelta(days=settings.WEBHOOK_KEEP_DAYS)
    return each_organisation(lambda organisation: _purge(organisation, oldest))


def secrets_sweep() -> int:
    """Seal secrets again after the master key has changed; drop those whose overlap is over. Returns how many."""
    return each_organisation(_renew)


def _renew(organisation: Organisation) -> int:
    with tenant(organisation):
        return _secrets_rewrap()


def _secrets_rewrap(most: int = 0) -> int:
    """Of all endpoints at once: an organisation has few."""
    changed = [
        one for one in WebhookEndpoint.objects.select_for_update().order_by("pk") if secrets_renew(one)
    ]
    WebhookEndpoint.objects.bulk_update(changed, ["secret", "previous_secret"])
    return len(changed)


def _secrets_in_use() -> Counter[str]:
    stored = WebhookEndpoint.objects.values_list("secret", "previous_secret")
    return Counter(master_key_of(secret) for pair in stored for secret in pair if secret)


SECRETS = Wrapper(_secrets_in_use, _secrets_rewrap)


def _purge(organisation: Organisation, oldest: object) -> int:
    """Some at a time: Django reads what it deletes, and a busy day brings many."""
    count = 0
    while True:
        with tenant(organisation):
            past = WebhookEvent.objects.filter(created_at__lt=oldest)
            ended = past.exclude(deliveries__state=DeliveryState.PENDING)
            some = list(ended.values_list("pk", flat=True)[:PURGED_AT_ONCE])
            WebhookEvent.objects.filter(pk__in=some).delete()
        count += len(some)
        if len(some) < PURGED_AT_ONCE:
            return count
