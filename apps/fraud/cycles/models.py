"""Cycles that were found, the payments they consist of, and the rings of accounts that they went round in."""

from collections.abc import Sequence

from django.db import models

from rootstock.accounts.tenancy import TenantModel
from rootstock.jobs.models import Job


class PaymentRing(TenantModel):
    """Accounts among which money went round: one for all cycles over the same accounts, whichever the first is.

    `rounds` are those of its cycles that share no payment, and the amounts are theirs, worth in euros: a round that is
    paid twice gives cycles that begin elsewhere as well. `score` and `outcome` are of that payment of all of them
    which was decided most gravely, null where none had been. It names no account: its payments do.
    """

    fingerprint = models.CharField(max_length=64)  # of its accounts' keys
    accounts = models.PositiveSmallIntegerField()
    cycles = models.PositiveIntegerField(default=0)
    rounds = models.PositiveIntegerField(default=0)
    amount_in = models.DecimalField(max_digits=18, decimal_places=2, default=0)
    amount_out = models.DecimalField(max_digits=18, decimal_places=2, default=0)
    share_kept = models.FloatField(default=0.0)
    score = models.FloatField(null=True)
    outcome = models.CharField(max_length=8, blank=True)
    began_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    found_at = models.DateTimeField(auto_now_add=True)
    names: Sequence[str] = ()
    """Its accounts, in the order in which money goes: put here by `selectors.named`."""

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "fingerprint"], name="one_ring_per_fingerprint")
        ]
        indexes = [
            models.Index(fields=["organisation", "-id"], name="rings_by_finding"),
            models.Index(fields=["organisation", "score", "id"], name="rings_by_score"),
            models.Index(fields=["organisation", "amount_in", "id"], name="rings_by_amount"),
            models.Index(fields=["organisation", "ended_at", "id"], name="rings_by_end"),
        ]


class PaymentCycle(TenantModel):
    """Money that left an account and came back to it over others. Written once by the search that first found it.

    Amounts are worth in euros, of the first payment and of the last; `score` is the mean of the probabilities that its
    payments were decided with, null where none had been. It names no account: its payments do. `round` counts the
    cycles of its ring from 1, null for one that shares a payment with a counted one.
    """

    fingerprint = models.CharField(max_length=64)  # of its payments in their order
    ring = models.ForeignKey(PaymentRing, on_delete=models.CASCADE, related_name="found", db_index=False)
    round = models.PositiveIntegerField(null=True)
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
            models.Index(fields=["ring", "id"], name="cycles_of_ring"),
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
