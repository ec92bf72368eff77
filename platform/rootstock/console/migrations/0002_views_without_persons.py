"""Saved views forget what names a person: accounts, record numbers, customers, colleagues."""

from django.db import migrations
from django.http import QueryDict

PERSONAL = {
    'fraud-payments': 'account',
    'ehr-board': 'identifier',
    'support-conversations': 'search',
    'people': 'q',
    'invitations': 'q',
}


def forget(apps, schema_editor):
    """Drop those parameters. Only the owner of the tables sees every organisation's rows."""
    views = apps.get_model('console', 'SavedView').objects.using(schema_editor.connection.alias)
    for view in views.filter(table__in=PERSONAL).iterator():
        query = QueryDict(view.query, mutable=True)
        if query.pop(PERSONAL[view.table], None) is not None:
            views.filter(pk=view.pk).update(query=query.urlencode())


class Migration(migrations.Migration):

    dependencies = [('console', '0001_saved_views')]

    operations = [migrations.RunPython(forget, migrations.RunPython.noop)]
