"""What came under an Idempotency-Key, and what was answered."""

from django.db import models

from rootstock.accounts.tenancy import TenantModel


class IdempotentRequest(TenantModel):
    """One use of a key by one caller. Key and request are kept as hashes, the answer under the master key."""

    caller = models.CharField(max_length=80)  # actor kind and id
    key_hash = models.CharField(max_length=64)
    request_hash = models.CharField(max_length=64)  # method, address and body
    status = models.PositiveSmallIntegerField(null=True)  # null: begun, and not answered yet
    content_type = models.CharField(max_length=80, blank=True)
    answer = models.BinaryField(null=True)
    answer_key_id = models.CharField(max_length=40, blank=True)  # the master key that sealed the answer
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "caller", "key_hash"], name="one_request_per_idempotency_key"
            )
        ]
        indexes = [models.Index(fields=["organisation", "created_at"], name="idempotency_age")]
