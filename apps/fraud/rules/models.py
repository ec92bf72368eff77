"""Versions of rules, what of them is in force, who agreed to it, and the lists."""

from django.db import models

from apps.fraud.four_eyes.models import InForce, Request
from apps.fraud.rules import lists
from rootstock.accounts.tenancy import TenantModel
from rootstock.privacy.fields import EncryptedOptionalTextField, EncryptedTextField, PersonalModel
from rootstock.privacy.models import SubjectKey

# Whose key seals a device or merchant on a list: nobody's but the entry's own.
LISTED = "fraud.listed"


class RulesVersion(TenantModel):
    """Rules as somebody wrote them, under the organisation's next number. Written once, never changed."""

    number = models.PositiveIntegerField()
    definition = models.JSONField()  # schemas.RulesIn, as it was accepted
    digest = models.CharField(max_length=64)
    note = models.CharField(max_length=300, blank=True)
    made_by = models.CharField(max_length=60)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "number"], name="one_rules_version_per_number")
        ]

    @property
    def reference(self) -> str:
        """`rules@3-9c1b2f4e8a7d`: number and digest."""
        return f"rules@{self.number}-{self.digest[:12]}"


class RulesInForce(InForce):
    """What decides now. `generation` counts the moves, `lists` the changes of the lists; workers read by them."""

    current = models.ForeignKey(RulesVersion, null=True, on_delete=models.PROTECT, related_name="+")
    shadow = models.ForeignKey(RulesVersion, null=True, on_delete=models.PROTECT, related_name="+")
    lists = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation"], name="one_rules_in_force")]


class RulesRequest(Request):
    """Somebody asked that a version comes into force; somebody else decides."""

    version = models.ForeignKey(RulesVersion, on_delete=models.PROTECT, related_name="requests")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation"], condition=models.Q(state="open"), name="one_open_rules_request"
            )
        ]


class RulesMove(TenantModel):
    """One change of what is in force or in the shadow; `before` and `after` are references, empty for none."""

    class Kind(models.TextChoices):
        """What happened."""

        SERVE = "serve", "Came into force"
        ROLL_BACK = "roll_back", "Rolled back"
        SHADOW = "shadow", "Shadow began"
        END_SHADOW = "end_shadow", "Shadow ended"

    generation = models.PositiveIntegerField()
    kind = models.CharField(max_length=10, choices=Kind.choices)
    before = models.CharField(max_length=40, blank=True)
    after = models.CharField(max_length=40, blank=True)
    request = models.ForeignKey(RulesRequest, null=True, on_delete=models.SET_NULL, related_name="moves")
    moved_by = models.CharField(max_length=60)
    reason = models.CharField(max_length=300)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "generation"], name="one_rules_move_a_generation")
        ]


class ListEntry(PersonalModel):
    """Somebody or something on a list. Only the keyed hashes are read to decide; the rest is sealed.

    It counts from the change `added_in` of the lists until before the change `ended_in`: whoever knows the number of a
    change knows what the lists were then. `other` is the payee of a pair.
    """

    effect = models.CharField(max_length=5, choices=[(one, one) for one in lists.EFFECTS])
    kind = models.CharField(max_length=8, choices=[(one, one) for one in lists.KINDS])
    subject = models.ForeignKey(SubjectKey, on_delete=models.RESTRICT, related_name="+")
    other_subject = models.ForeignKey(SubjectKey, null=True, on_delete=models.RESTRICT, related_name="+")
    value = EncryptedTextField(subject="subject")
    other = EncryptedOptionalTextField(subject="other_subject", null=True)
    reason = EncryptedTextField(subject="subject")
    key = models.BigIntegerField()
    other_key = models.BigIntegerField(default=0)
    channel = models.CharField(max_length=16, blank=True)  # empty: on all of them
    expires_at = models.DateTimeField(null=True)
    added_in = models.PositiveIntegerField()
    ended_in = models.PositiveIntegerField(null=True)
    added_by = models.CharField(max_length=60)
    ended_by = models.CharField(max_length=60, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "effect", "kind", "key", "other_key", "channel"],
                condition=models.Q(ended_in=None),
                name="one_list_entry",
            )
        ]
        indexes = [models.Index(fields=["organisation", "added_in"], name="list_entries_by_change")]
