import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0004_listing'),
        ('files', '0001_initial'),
        ('privacy', '0003_four_eyes_of_requests'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='storedfile',
            name='one_file_per_content',
        ),
        migrations.AddField(
            model_name='storedfile',
            name='subject',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.RESTRICT, related_name='files', to='privacy.subjectkey'),
        ),
        migrations.AddConstraint(
            model_name='storedfile',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'uploading'), _negated=True), fields=('organisation', 'purpose', 'sha256', 'subject'), name='one_file_per_content', nulls_distinct=False),
        ),
    ]
