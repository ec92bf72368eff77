from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [('fraud', '0004_batch_size')]

    operations = [
        migrations.AlterField(
            model_name='transaction',
            name='received_at',
            field=models.DateTimeField(),
        ),
    ]
