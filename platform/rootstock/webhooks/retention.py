"""Events are kept for a while, so that their deliveries can be looked up and replayed."""

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.webhooks.models import DeliveryState, WebhookEvent


def events_purge() -> int:
    """Delete events past their time whose deliveries have all ended. Returns how many."""
    oldest = timezone.now() - timedelta(days=settings.WEBHOOK_KEEP_DAYS)
    return sum(_purge(organisation, oldest) for organisation in Organisation.objects.all())


def _purge(organisation: Organisation, oldest: object) -> int:
    with tenant(organisation):
        past = WebhookEvent.objects.filter(created_at__lt=oldest)
        ended = past.exclude(deliveries__state=DeliveryState.PENDING)
        count = ended.count()
        ended.delete()
    return count
