import django.db.models.functions.text
from django.db import migrations, models

# Workers ask of every organisation's versions whether they may still be used there.
READABLE = "current_setting('rootstock.system', true) = 'residency'"


class Migration(migrations.Migration):

    dependencies = [
        ('registry', '0008_dataset_reports'),
    ]

    operations = [
        migrations.RemoveIndex(model_name='adapterversion', name='adapter_of_any'),
        migrations.AddIndex(
            model_name='adapterversion',
            index=models.Index(fields=['digest'], name='adapter_of_any'),
        ),
        migrations.AddConstraint(
            model_name='adapterversion',
            constraint=models.UniqueConstraint(models.F('organisation'), models.F('name'), django.db.models.functions.text.Left('digest', 12), name='one_version_per_reference'),
        ),
        migrations.RunSQL(
            f'CREATE POLICY system ON "registry_adaptergrant" FOR SELECT USING ({READABLE})',
            'DROP POLICY system ON "registry_adaptergrant"',
        ),
    ]
