import django.db.models.deletion
import rootstock.privacy.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ehr', '0003_encrypt_rows'),
    ]

    operations = [
        migrations.RemoveConstraint('patientidentifier', 'ehr_one_owner_of_identifier'),
        migrations.RemoveIndex('patientidentifier', 'ehr_patient_organis_a348fb_idx'),
        migrations.RemoveField('patient', 'birth_date'),
        migrations.AlterField('patientidentifier', 'value_index', models.BinaryField(max_length=32)),
        migrations.RemoveField('importedbundle', 'content'),
        migrations.RenameField('importedbundle', 'content_sealed', 'content'),
        migrations.RemoveField('patient', 'header'),
        migrations.RenameField('patient', 'header_sealed', 'header'),
        migrations.AlterField('patient', 'header', rootstock.privacy.fields.EncryptedJSONField(subject='subject')),
        migrations.RemoveField('patientidentifier', 'value'),
        migrations.RenameField('patientidentifier', 'value_sealed', 'value'),
        migrations.AlterField('patientidentifier', 'value', rootstock.privacy.fields.EncryptedTextField(subject='subject')),
        migrations.RemoveField('resource', 'content'),
        migrations.RenameField('resource', 'content_sealed', 'content'),
        migrations.AlterField('resource', 'content', rootstock.privacy.fields.EncryptedJSONField(subject='subject')),
        migrations.RemoveField('event', 'display'),
        migrations.RenameField('event', 'display_sealed', 'display'),
        migrations.AlterField('event', 'display', rootstock.privacy.fields.EncryptedTextField(subject='subject')),
        migrations.RemoveField('event', 'text'),
        migrations.RenameField('event', 'text_sealed', 'text'),
        migrations.AlterField('event', 'text', rootstock.privacy.fields.EncryptedTextField(subject='subject')),
        migrations.RemoveField('note', 'title'),
        migrations.RenameField('note', 'title_sealed', 'title'),
        migrations.AlterField('note', 'title', rootstock.privacy.fields.EncryptedTextField(subject='subject')),
        migrations.RemoveField('note', 'original'),
        migrations.RenameField('note', 'original_sealed', 'original'),
        migrations.AlterField('note', 'original', rootstock.privacy.fields.EncryptedTextField(subject='subject')),
        migrations.RemoveField('note', 'text'),
        migrations.RenameField('note', 'text_sealed', 'text'),
        migrations.AlterField('note', 'text', rootstock.privacy.fields.EncryptedTextField(subject='subject')),
        migrations.AlterField('patient', 'subject', models.OneToOneField(on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='privacy.subjectkey')),
        migrations.AlterField('patientidentifier', 'subject', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='privacy.subjectkey')),
        migrations.AlterField('resource', 'subject', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='privacy.subjectkey')),
        migrations.AlterField('event', 'subject', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='privacy.subjectkey')),
        migrations.AlterField('note', 'subject', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='privacy.subjectkey')),
        migrations.AddIndex('patientidentifier', models.Index(fields=['organisation', 'value_index'], name='ehr_identifier')),
        migrations.AddIndex('resource', models.Index(condition=models.Q(('patient', None)), fields=['subject'], name='ehr_resource_of_other')),
        migrations.AddConstraint('patientidentifier', models.UniqueConstraint(fields=('organisation', 'system', 'value_index'), name='ehr_one_owner_of_identifier')),
    ]
