import django.db.models.deletion
import rootstock.privacy.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ehr', '0001_initial'),
        ('privacy', '0001_subject_keys'),
    ]

    operations = [
        migrations.AddField('importedbundle', 'subject', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='privacy.subjectkey')),
        migrations.AddField('patient', 'subject', models.OneToOneField(null=True, on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='privacy.subjectkey')),
        migrations.AddField('patientidentifier', 'subject', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='privacy.subjectkey')),
        migrations.AddField('resource', 'subject', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='privacy.subjectkey')),
        migrations.AddField('event', 'subject', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='privacy.subjectkey')),
        migrations.AddField('note', 'subject', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='privacy.subjectkey')),
        migrations.AddField('importedbundle', 'content_sealed', rootstock.privacy.fields.EncryptedJSONField(null=True, subject='subject')),
        migrations.AddField('patient', 'header_sealed', rootstock.privacy.fields.EncryptedJSONField(null=True, subject='subject')),
        migrations.AddField('patientidentifier', 'value_sealed', rootstock.privacy.fields.EncryptedTextField(null=True, subject='subject')),
        migrations.AddField('resource', 'content_sealed', rootstock.privacy.fields.EncryptedJSONField(null=True, subject='subject')),
        migrations.AddField('event', 'display_sealed', rootstock.privacy.fields.EncryptedTextField(null=True, subject='subject')),
        migrations.AddField('event', 'text_sealed', rootstock.privacy.fields.EncryptedTextField(null=True, subject='subject')),
        migrations.AddField('note', 'title_sealed', rootstock.privacy.fields.EncryptedTextField(null=True, subject='subject')),
        migrations.AddField('note', 'original_sealed', rootstock.privacy.fields.EncryptedTextField(null=True, subject='subject')),
        migrations.AddField('note', 'text_sealed', rootstock.privacy.fields.EncryptedTextField(null=True, subject='subject')),
        migrations.AddField('event', 'status', models.CharField(blank=True, default='', max_length=24), preserve_default=False),
        migrations.AddField('patientidentifier', 'value_index', models.BinaryField(max_length=32, null=True)),
    ]
