import django.db.models.deletion
import rootstock.privacy.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('support', '0001_initial'),
        ('privacy', '0001_subject_keys'),
    ]

    operations = [
        migrations.AddField('conversation', 'person', models.ForeignKey(null=True, on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='privacy.subjectkey')),
        migrations.AddField('turn', 'person', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='privacy.subjectkey')),
        migrations.AddField('conversation', 'subject_sealed', rootstock.privacy.fields.EncryptedTextField(null=True, subject='person')),
        migrations.AddField('conversation', 'customer_sealed', rootstock.privacy.fields.EncryptedTextField(null=True, subject='person')),
        migrations.AddField('turn', 'text_sealed', rootstock.privacy.fields.EncryptedTextField(null=True, subject='person')),
    ]
