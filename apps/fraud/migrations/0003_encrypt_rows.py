"""Encrypt what is there already. It cannot be undone: the plain columns go with the next migration."""


from django.db import migrations

from rootstock.privacy.converting import Converter


def encrypt(apps, schema_editor):
    rows = Converter(schema_editor.connection, 'fraud_transaction')

    def payment(pk, organisation, payer, payee):
        found = {}
        for side, account in (('payer', payer), ('payee', payee)):
            subject = rows.subject(organisation, 'fraud.account', account)
            found |= {
                f'{side}_subject_id': subject.id,
                f'{side}_key': int.from_bytes(subject.index[:8], 'big', signed=True),
                f'{side}_sealed': rows.seal(subject, side, pk, account),
            }
        return found

    rows.each('payer, payee', payment)



class Migration(migrations.Migration):

    dependencies = [('fraud', '0002_encrypted_columns')]

    operations = [migrations.RunPython(encrypt)]
