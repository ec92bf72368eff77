from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('registry', '0010_dataset_parts'),
    ]

    operations = [
        migrations.AddField(
            model_name='adapterupload',
            name='brought_by',
            field=models.CharField(blank=True, max_length=60),
        ),
        migrations.RunSQL(
            "UPDATE registry_adapterupload SET brought_by = 'person:' || uploaded_by_id WHERE uploaded_by_id IS NOT NULL",
            migrations.RunSQL.noop,
        ),
        migrations.RemoveField(
            model_name='adapterupload',
            name='uploaded_by',
        ),
    ]
