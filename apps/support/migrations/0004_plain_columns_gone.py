import django.db.models.deletion
import rootstock.privacy.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('support', '0003_encrypt_rows'),
    ]

    operations = [
        migrations.RemoveField('conversation', 'subject'),
        migrations.RenameField('conversation', 'subject_sealed', 'subject'),
        migrations.AlterField('conversation', 'subject', rootstock.privacy.fields.EncryptedTextField(subject='person')),
        migrations.RemoveField('conversation', 'customer'),
        migrations.RenameField('conversation', 'customer_sealed', 'customer'),
        migrations.AlterField('conversation', 'customer', rootstock.privacy.fields.EncryptedTextField(subject='person')),
        migrations.RemoveField('turn', 'text'),
        migrations.RenameField('turn', 'text_sealed', 'text'),
        migrations.AlterField('turn', 'text', rootstock.privacy.fields.EncryptedTextField(subject='person')),
        migrations.AlterField('conversation', 'person', models.ForeignKey(on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='privacy.subjectkey')),
        migrations.AlterField('turn', 'person', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='privacy.subjectkey')),
    ]
