"""Uploaded files: what each is, whether it passed its checks, and where its content lies."""

from django.db import models

from rootstock.accounts.models import User
from rootstock.accounts.tenancy import TenantModel


class FileState(models.TextChoices):
    """Only a clean file is handed out or used."""

    UPLOADING = "uploading"
    QUARANTINED = "quarantined"
    CLEAN = "clean"
    REFUSED = "refused"


class StoredFile(TenantModel):
    """One content for one purpose. `checks` are what was looked at: name, outcome (passed, refused), what was found.

    Of a file about a person the content is sealed under the person's key, and `name` is no more than its extension's.
    """

    # about one person
    subject = models.ForeignKey(
        "privacy.SubjectKey", null=True, on_delete=models.RESTRICT, related_name="files"
    )
    purpose = models.CharField(max_length=32)
    name = models.CharField(max_length=200)
    declared_type = models.CharField(max_length=100, blank=True)
    type = models.CharField(max_length=100, blank=True)  # by content
    bytes = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64, blank=True)
    state = models.CharField(max_length=12, choices=FileState.choices, default=FileState.UPLOADING)
    reason = models.CharField(max_length=300, blank=True)  # why it was refused
    checks = models.JSONField(default=list)
    storage_key = models.CharField(max_length=120)
    job_id = models.UUIDField(null=True)  # the scan, when it does not happen at once
    uploaded_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    checked_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "purpose", "sha256", "subject"],
                condition=~models.Q(state="uploading"),
                nulls_distinct=False,
                name="one_file_per_content",
            )
        ]
        indexes = [
            models.Index(fields=["organisation", "-id"], name="file_page"),
            models.Index(
                fields=["expires_at"], condition=models.Q(expires_at__isnull=False), name="file_expiry"
            ),
        ]

    @property
    def is_clean(self) -> bool:
        """It passed every check."""
        return self.state == FileState.CLEAN


class FileUpload(TenantModel):
    """A file that comes in pieces. Its bytes lie in FILE_INCOMING_DIR until all are there; then it is `file`.

    `offset` is what a request that ended last had brought; how many bytes lie there is the truth.
    """

    purpose = models.CharField(max_length=32)
    name = models.CharField(max_length=200)
    declared_type = models.CharField(max_length=100, blank=True)
    length = models.PositiveBigIntegerField()
    offset = models.PositiveBigIntegerField(default=0)
    file = models.ForeignKey(StoredFile, null=True, on_delete=models.SET_NULL, related_name="+")
    uploaded_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["organisation", "-id"], name="file_upload_page")]
