"""Cycles that were found, and the payments they consist of."""

from django.db import models

from rootstock.accounts.tenancy import TenantModel
from rootstock.jobs.models import Job


class PaymentCycle(TenantModel):
    """Money that left an account and came back to it over others. Written once by the search that first found it.

    Amounts are worth in euros, of the first payment and of the last; `score` is the mean of the probabilities that its
    payments were decided with, null where none had been. It names no account: its payments do.
    """

    fingerprint = models.CharField(max_length=64)  # of its payments in their order
    job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False)
    hops = models.PositiveSmallIntegerField()
    amount_in = models.DecimalField(max_digits=18, decimal_places=2)
    amount_out = models.DecimalField(max_digits=18, decimal_places=2)
    share_kept = models.FloatField()
    score = models.FloatField(null=True)
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    found_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "fingerprint"], name="one_cycle_per_fingerprint")
        ]
        indexes = [
            models.Index(fields=["organisation", "-id"], name="cycles_by_finding"),
            models.Index(fields=["organisation", "score", "id"], name="cycles_by_score"),
            models.Index(fields=["organisation", "amount_in", "id"], name="cycles_by_amount"),
            models.Index(fields=["job"], name="cycles_of_job"),
        ]

    @property
    def duration_s(self) -> float:
        """From the first payment to the last."""
        return (self.ended_at - self.began_at).total_seconds()


class CyclePayment(TenantModel):
    """One hop of a cycle; `place` counts from 0."""

    cycle = models.ForeignKey(PaymentCycle, on_delete=models.CASCADE, related_name="steps", db_index=False)
    transaction = models.ForeignKey("fraud.Transaction", on_delete=models.CASCADE, related_name="+")
    place = models.PositiveSmallIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["cycle", "place"], name="one_payment_per_hop")]
