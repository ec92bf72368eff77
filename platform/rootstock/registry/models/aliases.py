"""Aliases: names that move from version to version; who moved them, and who agreed."""

from django.db import models

from rootstock.accounts.tenancy import TenantModel
from rootstock.registry.models.adapters import AdapterVersion


class Change(models.TextChoices):
    """What can be asked for an alias."""

    SERVE = "serve", "Serve it to everybody"
    CANARY = "canary", "Serve it to a share of the requests"
    SHADOW = "shadow", "Compare its answers, unseen"


class Move(models.TextChoices):
    """What happened to an alias."""

    SERVE = "serve", "Moved"
    CANARY = "canary", "Canary began"
    SHADOW = "shadow", "Shadow began"
    END_CANARY = "end_canary", "Canary ended"
    END_SHADOW = "end_shadow", "Shadow ended"
    ROLL_BACK = "roll_back", "Rolled back"


class Alias(TenantModel):
    """`name:stage`, such as `support-tone:production`. It is resolved when a request is admitted.

    A share of the requests, 0 to 1, goes to `canary`; of a share the answer is compared with that of `shadow`, which
    nobody sees. `generation` counts the moves.
    """

    name = models.CharField(max_length=84)
    current = models.ForeignKey(AdapterVersion, on_delete=models.PROTECT, related_name="serving")
    canary = models.ForeignKey(AdapterVersion, null=True, on_delete=models.PROTECT, related_name="canaries")
    canary_share = models.FloatField(default=0.0)
    shadow = models.ForeignKey(AdapterVersion, null=True, on_delete=models.PROTECT, related_name="shadows")
    shadow_share = models.FloatField(default=0.0)
    generation = models.PositiveIntegerField(default=1)
    moved_at = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation", "name"], name="one_alias_per_name")]


class Promotion(TenantModel):
    """Somebody asked to change what an alias serves; somebody else decides. The alias may be new."""

    class State(models.TextChoices):
        """How far it has come."""

        OPEN = "open", "Waits for a second person"
        APPROVED = "approved", "Approved"
        REFUSED = "refused", "Refused"
        WITHDRAWN = "withdrawn", "Withdrawn"

    alias = models.CharField(max_length=84)
    version = models.ForeignKey(AdapterVersion, on_delete=models.CASCADE, related_name="promotions")
    change = models.CharField(max_length=6, choices=Change.choices)
    share = models.FloatField(default=1.0)
    reason = models.CharField(max_length=300)
    state = models.CharField(max_length=9, choices=State.choices, default=State.OPEN)
    requested_by = models.CharField(max_length=60)
    person = models.CharField(max_length=60)  # who stood behind `requested_by` then
    decided_by = models.CharField(max_length=60, blank=True)
    because = models.CharField(max_length=300, blank=True)  # what the second person said
    created_at = models.DateTimeField(auto_now_add=True)
    decided_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "alias", "change"],
                condition=models.Q(state="open"),
                name="one_open_promotion",
            )
        ]
        indexes = [models.Index(fields=["organisation", "-id"], name="promotion_page")]


class AliasMove(TenantModel):
    """One move of an alias, as it was; `before` and `after` are references, empty for none."""

    alias = models.ForeignKey(Alias, on_delete=models.CASCADE, related_name="moves")
    generation = models.PositiveIntegerField()
    move = models.CharField(max_length=10, choices=Move.choices)
    before = models.CharField(max_length=80, blank=True)
    after = models.CharField(max_length=80, blank=True)
    share = models.FloatField(default=1.0)
    version = models.ForeignKey(AdapterVersion, null=True, on_delete=models.SET_NULL, related_name="+")
    promotion = models.ForeignKey(Promotion, null=True, on_delete=models.SET_NULL, related_name="moves")
    moved_by = models.CharField(max_length=60)
    reason = models.CharField(max_length=300)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["alias", "generation"], name="one_move_per_generation")
        ]


class ShadowTally(TenantModel):
    """A day's comparisons of an alias's answers with its shadow's: numbers alone, no text."""

    alias = models.ForeignKey(Alias, on_delete=models.CASCADE, related_name="tallies")
    current = models.ForeignKey(AdapterVersion, on_delete=models.CASCADE, related_name="+")
    shadow = models.ForeignKey(AdapterVersion, on_delete=models.CASCADE, related_name="+")
    day = models.DateField()
    compared = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    same = models.PositiveIntegerField(default=0)  # the same answer, word for word, or the same labels
    agreement = models.FloatField(default=0.0)  # sum of each pair's, 0 to 1
    current_ms = models.FloatField(default=0.0)  # sums
    shadow_ms = models.FloatField(default=0.0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["alias", "current", "shadow", "day"], name="one_tally_a_day")
        ]
