"""Housekeeping from organisation to organisation."""

from typing import Any

from django.db import connection

from rootstock.accounts.models import Organisation
from rootstock.accounts.rounds import each_of, each_organisation
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


def test_of_some_given_by_their_ids_one_that_fails_is_named(world, caplog) -> None:
    done = []

    def work(organisation) -> int:
        if organisation == world.organisation.pk:
            raise ValueError
        done.append(organisation)
        return 1

    assert each_of([world.organisation.pk, world.other.pk], work) == 1
    assert done == [world.other.pk]
    assert str(world.organisation.pk) in caplog.text
