"""Desks, conversations and their turns."""

from django.db import models

from rootstock.accounts.tenancy import TenantModel
from rootstock.privacy.fields import EncryptedTextField, PersonalModel
from rootstock.privacy.models import SubjectKey

TEXT_LIMIT = 4_000
# The kinds of people that this vertical holds data of: a customer whom the caller named, or an unnamed one.
CUSTOMER, VISITOR = "support.customer", "support.visitor"


class Desk(TenantModel):
    """How one organisation's desk speaks. `adapter` is `name@digest`, or an alias; empty means the base model."""

    name = models.CharField(max_length=80)
    greeting = models.TextField(max_length=500)
    system_prompt = models.TextField(max_length=2_000)
    adapter = models.CharField(max_length=160, blank=True)
    context_tokens = models.PositiveIntegerField(default=768)
    answer_tokens = models.PositiveIntegerField(default=96)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation"], name="one_desk_per_organisation")]

    def __str__(self) -> str:
        return self.name


class Conversation(PersonalModel):
    """One customer's thread. The last reading is repeated here, so that the list needs no join.

    `person` is the customer, or the conversation itself where the caller named none.
    """

    class State(models.TextChoices):
        OPEN = "open"
        CLOSED = "closed"

    person = models.ForeignKey(SubjectKey, on_delete=models.RESTRICT, related_name="+")
    subject = EncryptedTextField(subject="person")
    customer = EncryptedTextField(subject="person")
    state = models.CharField(max_length=8, choices=State.choices, default=State.OPEN)
    turn_count = models.PositiveIntegerField(default=0)
    last_label = models.CharField(max_length=24, blank=True)
    last_group = models.CharField(max_length=10, blank=True)
    last_level = models.FloatField(null=True)
    level_change = models.FloatField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    last_activity_at = models.DateTimeField(db_index=True)

    class Meta:
        indexes = [
            models.Index(fields=["organisation", "-id"], name="support_conversation_page"),
            models.Index(
                fields=["organisation", "-last_activity_at", "-id"], name="support_conversation_activity"
            ),
        ]

    def __str__(self) -> str:
        return str(self.pk)


class Turn(PersonalModel):
    """What one side said. A customer's turn carries its emotion, an answer the versions that produced it."""

    class Role(models.TextChoices):
        USER = "user"
        ASSISTANT = "assistant"

    class State(models.TextChoices):
        PENDING = "pending"  # the answer is being generated
        FINISHED = "finished"
        CANCELLED = "cancelled"  # stopped, with what was said so far
        FAILED = "failed"

    person = models.ForeignKey(SubjectKey, on_delete=models.RESTRICT, related_name="+", db_index=False)
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="turns")
    number = models.PositiveIntegerField()
    role = models.CharField(max_length=10, choices=Role.choices)
    state = models.CharField(max_length=10, choices=State.choices, default=State.FINISHED)
    text = EncryptedTextField(subject="person")
    reply_to = models.OneToOneField("self", on_delete=models.CASCADE, null=True, related_name="answer")

    emotion_scores = models.JSONField(null=True)
    emotion_label = models.CharField(max_length=24, blank=True)
    emotion_group = models.CharField(max_length=10, blank=True)
    emotion_level = models.FloatField(null=True)
    emotion_intensity = models.FloatField(null=True)

    adapter = models.CharField(max_length=160, blank=True)
    model_fingerprint = models.CharField(max_length=80, blank=True)
    stream_id = models.CharField(max_length=80, blank=True)
    finish_reason = models.CharField(max_length=16, blank=True)
    tokens = models.PositiveIntegerField(default=0)
    first_token_ms = models.FloatField(null=True)
    tokens_per_second = models.FloatField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    deadline_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["conversation", "number"], name="support_turn_number"),
            # The database itself refuses a second answer in flight, whoever asks.
            models.UniqueConstraint(
                fields=["conversation"],
                condition=models.Q(state="pending"),
                name="support_one_pending_answer",
            ),
        ]
        ordering = ["number"]

    def __str__(self) -> str:
        return f"{self.role} {self.number}"
