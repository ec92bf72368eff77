import django.db.models.deletion
import rootstock.privacy.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('fraud', '0001_initial'),
        ('privacy', '0001_subject_keys'),
    ]

    operations = [
        migrations.AddField('transaction', 'payer_subject', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='privacy.subjectkey')),
        migrations.AddField('transaction', 'payee_subject', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='privacy.subjectkey')),
        migrations.AddField('transaction', 'payer_sealed', rootstock.privacy.fields.EncryptedTextField(null=True, subject='payer_subject')),
        migrations.AddField('transaction', 'payee_sealed', rootstock.privacy.fields.EncryptedTextField(null=True, subject='payee_subject')),
    ]
