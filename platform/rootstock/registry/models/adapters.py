"""Base models, adapters by their content, how they came here, and how well they do."""

from django.db import models
from django.db.models.functions import Left

from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import TenantModel
from rootstock.ids import uuid7
from rootstock.jobs.models import Job
from rootstock.registry.models.datasets import Dataset


class BaseModel(models.Model):
    """A quantized base in Rootstock's format. Once a worker has served it, all organisations see it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=80)
    fingerprint = models.CharField(max_length=64, unique=True)
    bytes = models.PositiveBigIntegerField()
    licence = models.CharField(max_length=80, blank=True)
    source = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    served_at = models.DateTimeField(null=True)  # first


DIGITS = 12  # of a digest, in a reference


class Origin(models.TextChoices):
    """How a version came to the organisation."""

    TRAINED = "trained", "Trained here"
    UPLOADED = "uploaded", "Uploaded"
    SHARED = "shared", "Shared by another organisation"


class Keep(models.TextChoices):
    """Where workers should keep a version's weights, whatever else is asked for."""

    WHEN_ASKED = "", "When it is asked for"
    WARM = "warm", "In memory"
    PINNED = "pinned", "On the device"


class AdapterVersion(TenantModel):
    """One immutable adapter. Once retired it is no longer served.

    From outside it is addressed as `name@digest[:12]`, which within an organisation means one content for ever; inside
    by its key, and in workers by the whole digest.
    """

    name = models.CharField(max_length=64)
    digest = models.CharField(max_length=64)
    base = models.ForeignKey(BaseModel, on_delete=models.PROTECT, related_name="adapters")
    origin = models.CharField(max_length=8, choices=Origin.choices, default=Origin.TRAINED)
    parent = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="children")
    job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="adapters")
    dataset = models.ForeignKey(Dataset, null=True, on_delete=models.SET_NULL, related_name="adapters")
    card = models.JSONField(default=dict)
    bytes = models.PositiveBigIntegerField(default=0)
    keep = models.CharField(max_length=6, choices=Keep.choices, blank=True, default=Keep.WHEN_ASKED)
    created_by = models.CharField(max_length=60, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    retired_at = models.DateTimeField(null=True)
    retired_by = models.CharField(max_length=60, blank=True)
    retired_because = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "digest"], name="one_version_per_digest"),
            models.UniqueConstraint(
                "organisation", "name", Left("digest", DIGITS), name="one_version_per_reference"
            ),
        ]
        indexes = [
            models.Index(fields=["organisation", "name", "-id"], name="adapter_by_name"),
            models.Index(fields=["keep"], condition=~models.Q(keep=""), name="adapter_kept"),
            models.Index(fields=["digest"], name="adapter_of_any"),  # workers look in every organisation
        ]

    @property
    def reference(self) -> str:
        """How the version is addressed everywhere."""
        return f"{self.name}@{self.digest[:DIGITS]}"

    @property
    def task(self) -> str:
        """chat, classification or tagging."""
        return str(self.card.get("task", "chat"))


class AdapterGrant(TenantModel):
    """An organisation lets another use a version of its own, until it takes that back.

    The receiving organisation may read the row. It sees no rows of the giver's, so that what it takes stands here.
    """

    version = models.ForeignKey(AdapterVersion, on_delete=models.CASCADE, related_name="grants")
    to = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=64)
    digest = models.CharField(max_length=64)
    base = models.ForeignKey(BaseModel, on_delete=models.PROTECT, related_name="+")
    card = models.JSONField(default=dict)
    bytes = models.PositiveBigIntegerField(default=0)
    granted_by = models.CharField(max_length=60)
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["version", "to"], condition=models.Q(revoked_at=None), name="one_grant_at_a_time"
            )
        ]
        indexes = [models.Index(fields=["to", "digest"], name="grant_by_receiver")]

    @property
    def reference(self) -> str:
        """What it is of."""
        return f"{self.name}@{self.digest[:DIGITS]}"


class UploadState(models.TextChoices):
    """How far an uploaded adapter has come."""

    CHECKING = "checking", "Being checked"
    REFUSED = "refused", "Refused"
    TAKEN = "taken", "Taken"


class AdapterUpload(TenantModel):
    """Somebody brought an adapter: its files, what each check said, and the version that it became.

    `files` are the stored files by their names in an adapter, or the one under "archive". They are gone once the
    upload is taken or refused; the row stays and says why. `checks` are objects of check, passed and text.
    """

    name = models.CharField(max_length=64)
    files = models.JSONField(default=dict)
    state = models.CharField(max_length=8, choices=UploadState.choices, default=UploadState.CHECKING)
    checks = models.JSONField(default=list)
    reason = models.CharField(max_length=500, blank=True)
    version = models.ForeignKey(AdapterVersion, null=True, on_delete=models.SET_NULL, related_name="uploads")
    job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="+")
    brought_by = models.CharField(max_length=60, blank=True)  # kind and id: a person, key or client
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["organisation", "-id"], name="adapter_upload_page")]


class Evaluation(TenantModel):
    """How a version did on a frozen data set, in the form in which it was served; `baseline` is the base alone.

    `samples` are a few examples side by side: objects of input, expected, base and adapter.
    """

    version = models.ForeignKey(AdapterVersion, on_delete=models.CASCADE, related_name="evaluations")
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="evaluations")
    base = models.ForeignKey(BaseModel, on_delete=models.PROTECT, related_name="+")
    rows = models.PositiveIntegerField()
    metrics = models.JSONField(default=dict)
    baseline = models.JSONField(default=dict)
    samples = models.JSONField(default=list)
    job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["organisation", "version", "-id"], name="evaluation_history")]
