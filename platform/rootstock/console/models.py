"""What people keep of their tables: named views, and the columns they chose."""

from django.db import models

from rootstock.accounts.models import User
from rootstock.accounts.tenancy import TenantModel


class SavedView(TenantModel):
    """A table's filters, order and columns under a name: one person's, or shared with the organisation."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    table = models.CharField(max_length=60)
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=2000, blank=True)
    shared = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "table", "user", "name"], name="one_saved_view_per_name"
            )
        ]
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class ColumnChoice(TenantModel):
    """The columns that a person wants to see in a table."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    table = models.CharField(max_length=60)
    columns = models.JSONField(default=list)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "user", "table"], name="one_column_choice_per_table"
            )
        ]
