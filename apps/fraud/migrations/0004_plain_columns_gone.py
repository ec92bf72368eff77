import django.db.models.deletion
import rootstock.privacy.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('fraud', '0003_encrypt_rows'),
    ]

    operations = [
        migrations.RemoveField('transaction', 'payer'),
        migrations.RenameField('transaction', 'payer_sealed', 'payer'),
        migrations.AlterField('transaction', 'payer', rootstock.privacy.fields.EncryptedTextField(subject='payer_subject')),
        migrations.RemoveField('transaction', 'payee'),
        migrations.RenameField('transaction', 'payee_sealed', 'payee'),
        migrations.AlterField('transaction', 'payee', rootstock.privacy.fields.EncryptedTextField(subject='payee_subject')),
        migrations.AlterField('transaction', 'payer_subject', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='privacy.subjectkey')),
        migrations.AlterField('transaction', 'payee_subject', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='privacy.subjectkey')),
    ]
