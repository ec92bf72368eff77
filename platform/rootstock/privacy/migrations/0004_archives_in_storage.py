"""Archives of exports move from a column to storage. Those in the column, of a few days at most, are asked for anew."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0004_listing'),
        ('privacy', '0003_four_eyes_of_requests'),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='privacyrequest',
            name='privacy_archives',
        ),
        migrations.RemoveField(
            model_name='privacyrequest',
            name='archive',
        ),
        migrations.AddField(
            model_name='privacyrequest',
            name='archive_key',
            field=models.CharField(blank=True, max_length=160),
        ),
        migrations.AddIndex(
            model_name='privacyrequest',
            index=models.Index(condition=models.Q(('archive_key', ''), _negated=True), fields=['expires_at'], name='privacy_archives'),
        ),
    ]
