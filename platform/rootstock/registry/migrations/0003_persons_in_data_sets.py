import django.db.models.deletion
import rootstock.ids
from django.db import migrations, models

from rootstock.accounts.tenancy import EnableTenantPolicy


# What an adapter was trained on stands in its job, where there still is one.
TRAINED_ON = """
UPDATE registry_adapterversion adapter SET dataset_id = dataset.id
FROM jobs_job job JOIN registry_dataset dataset
    ON dataset.organisation_id = job.organisation_id AND dataset.id::text = job.params ->> 'dataset'
WHERE adapter.job_id = job.id
"""


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0004_listing'),
        ('privacy', '0004_archives_in_storage'),
        ('registry', '0002_stored_file'),
    ]

    operations = [
        migrations.AddField(
            model_name='adapterversion',
            name='dataset',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='adapters', to='registry.dataset'),
        ),
        migrations.AddField(
            model_name='dataset',
            name='erased_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.CreateModel(
            name='DatasetPerson',
            fields=[
                ('id', models.UUIDField(default=rootstock.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('dataset', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='persons', to='registry.dataset')),
                ('organisation', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.organisation')),
                ('subject', models.ForeignKey(on_delete=django.db.models.deletion.RESTRICT, related_name='datasets', to='privacy.subjectkey')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('dataset', 'subject'), name='one_person_once_in_a_dataset')],
            },
        ),
        EnableTenantPolicy("datasetperson"),
        migrations.RunSQL(TRAINED_ON, migrations.RunSQL.noop),
    ]
