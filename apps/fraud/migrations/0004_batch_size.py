from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [('fraud', '0003_rings')]

    operations = [
        migrations.AddField(
            model_name='decision',
            name='batch_size',
            field=models.PositiveIntegerField(null=True),
        ),
    ]
