import django.db.models.deletion
import rootstock.ids
import rootstock.privacy.fields
from django.db import migrations, models

from rootstock.accounts.tenancy import EnableTenantPolicy


class Migration(migrations.Migration):
    """The words of reasons under the keys of the persons concerned. Plain ones, of a few hours, are dropped."""

    dependencies = [
        ('accounts', '0002_key_rotation'),
        ('audit', '0003_objects'),
        ('privacy', '0001_subject_keys'),
    ]

    operations = [
        migrations.DeleteModel(name='ActionReason'),
        migrations.CreateModel(
            name='ActionReason',
            fields=[
                ('id', models.UUIDField(default=rootstock.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('organisation', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.organisation')),
                ('action', models.OneToOneField(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='reason', to='audit.humanaction')),
                ('subject', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='privacy.subjectkey')),
                ('text', rootstock.privacy.fields.EncryptedTextField(subject='subject')),
            ],
            options={
                'abstract': False,
            },
        ),
        EnableTenantPolicy("actionreason"),
    ]
