"""Housekeeping from organisation to organisation."""

from typing import Any

from django.db import connection

from rootstock.accounts.models import Organisation
from rootstock.accounts.rounds import each_organisation
from rootstock.accounts.tenancy import tenant
from rootstock.errors import Unavailable


def test_what_fails_in_one_holds_up_no_other(world: Any, caplog: Any) -> None:
    def work(organisation: Organisation) -> int:
        with tenant(organisation):
            if organisation == world.organisation:
                raise Unavailable("Valkey is away")
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        return 1

    assert each_organisation(work) == Organisation.objects.count() - 1
    assert str(world.organisation.pk) in caplog.text
