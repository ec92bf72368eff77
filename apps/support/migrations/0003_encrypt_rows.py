"""Encrypt what is there already. It cannot be undone: the plain columns go with the next migration."""


from django.db import migrations

from rootstock.privacy.converting import Converter
from rootstock.privacy.indexes import normal_form


def encrypt(apps, schema_editor):
    connection = schema_editor.connection
    rows = Converter(connection, 'support_conversation')

    def conversation(pk, organisation, subject, customer):
        person = _person(rows, organisation, pk, customer)
        return {
            'person_id': person.id,
            'subject_sealed': rows.seal(person, 'subject', pk, subject),
            'customer_sealed': rows.seal(person, 'customer', pk, customer),
        }

    rows.each('subject, customer', conversation)
    turns = Converter(connection, 'support_turn')

    def turn(pk, organisation, text, conversation_id, customer):
        person = _person(turns, organisation, conversation_id, customer)
        return {'person_id': person.id, 'text_sealed': turns.seal(person, 'text', pk, text)}

    turns.each(
        'text, conversation_id,'
        ' (SELECT customer FROM support_conversation AS c WHERE c.id = support_turn.conversation_id)',
        turn,
    )


def _person(rows, organisation, conversation_id, customer):
    if customer.strip():
        return rows.subject(organisation, 'support.customer', normal_form(customer, folded=True))
    return rows.subject(organisation, 'support.visitor', str(conversation_id))



class Migration(migrations.Migration):

    dependencies = [('support', '0002_encrypted_columns')]

    operations = [migrations.RunPython(encrypt)]
