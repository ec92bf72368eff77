"""A root tells how long the chain is, and entries are found by their request.

Roots that were written before stay as they are: nothing updates the trail.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("audit", "0006_witness_state")]

    operations = [
        migrations.AddField(
            model_name="auditroot", name="total", field=models.PositiveBigIntegerField(null=True)
        ),
        migrations.AddIndex(
            model_name="auditentry",
            index=models.Index(fields=["organisation", "request_id", "-id"], name="audit_by_request"),
        ),
    ]
