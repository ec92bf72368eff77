"""Encrypt what is there already. It cannot be undone: the plain columns go with the next migration."""

import json

from django.db import migrations

from rootstock.privacy.converting import Converter


PATIENT, OTHER, BUNDLE = 'ehr.patient', 'ehr.resource', 'ehr.bundle'
STATUSES = {
    'active', 'recurrence', 'relapse', 'inactive', 'remission', 'resolved', 'completed', 'on-hold', 'stopped',
    'draft', 'unknown', 'final', 'preliminary', 'amended', 'corrected', 'registered', 'in-progress', 'finished',
    'planned', 'not-done',
}


def encrypt(apps, schema_editor):
    connection = schema_editor.connection
    for work in (_bundles, _patients, _identifiers, _resources, _events, _notes):
        work(connection)


def _bundles(connection):
    rows = Converter(connection, 'ehr_importedbundle')

    def bundle(pk, organisation, digest, content):
        if content is None:
            return {'subject_id': None, 'content_sealed': None}
        subject = rows.subject(organisation, BUNDLE, digest)
        return {'subject_id': subject.id, 'content_sealed': rows.seal(subject, 'content', pk, content)}

    rows.each('digest, content::text', bundle)


def _patients(connection):
    rows = Converter(connection, 'ehr_patient')

    def patient(pk, organisation, header, born):
        subject = rows.subject(organisation, PATIENT, str(pk))
        whole = {**json.loads(header), 'birth_date': born.isoformat() if born else None}
        text = json.dumps(whole, ensure_ascii=False)
        return {'subject_id': subject.id, 'header_sealed': rows.seal(subject, 'header', pk, text)}

    rows.each('header::text, birth_date', patient)


def _identifiers(connection):
    rows = Converter(connection, 'ehr_patientidentifier')

    def identifier(pk, organisation, patient, value):
        subject = rows.subject(organisation, PATIENT, str(patient))
        return {
            'subject_id': subject.id,
            'value_sealed': rows.seal(subject, 'value', pk, value),
            'value_index': rows.index(organisation, 'ehr.identifier', value),
        }

    rows.each('patient_id, value', identifier)


def _resources(connection):
    rows = Converter(connection, 'ehr_resource')

    def resource(pk, organisation, patient, type, key, content):
        place = (PATIENT, str(patient)) if patient else (OTHER, f'{type}/{key}')
        subject = rows.subject(organisation, *place)
        return {'subject_id': subject.id, 'content_sealed': rows.seal(subject, 'content', pk, content)}

    rows.each('patient_id, type, key, content::text', resource)


def _events(connection):
    rows = Converter(connection, 'ehr_event')

    def event(pk, organisation, patient, code, display, text, time):
        subject = rows.subject(organisation, PATIENT, str(patient))
        if code == 'MEDS_BIRTH' and time:
            text, time = time.date().isoformat(), time.replace(month=1, day=1, hour=0, minute=0, second=0)
        if code.startswith('TEXT//'):
            code = 'TEXT//' + rows.index(organisation, 'ehr.code', code).hex()[:32]
        return {
            'subject_id': subject.id,
            'code': code,
            'time': time,
            'status': text if text in STATUSES else 'other' if text else '',
            'display_sealed': rows.seal(subject, 'display', pk, display),
            'text_sealed': rows.seal(subject, 'text', pk, text),
        }

    rows.each('patient_id, code, display, text, time', event)


def _notes(connection):
    rows = Converter(connection, 'ehr_note')

    def note(pk, organisation, patient, title, original, text):
        subject = rows.subject(organisation, PATIENT, str(patient))
        sealed = {'title': title, 'original': original, 'text': text}
        return {'subject_id': subject.id} | {
            f'{name}_sealed': rows.seal(subject, name, pk, value) for name, value in sealed.items()
        }

    rows.each('patient_id, title, original, text', note)



class Migration(migrations.Migration):

    dependencies = [('ehr', '0002_encrypted_columns')]

    operations = [migrations.RunPython(encrypt)]
