"""Blind indexes find equal values, and tell nothing across purposes, organisations or cases."""

from hypothesis import given
from hypothesis import strategies as st

from rootstock.accounts.tenancy import tenant
from rootstock.privacy.indexes import blind_index, digest, normal_form
from rootstock.privacy.models import IndexKey


def test_it_works(world) -> None:
    found = blind_index(world.organisation, "account", "DE89 0001")
    assert len(found) == 32
    assert found == blind_index(world.organisation, "account", " DE89 0001\n")
    assert found != blind_index(world.organisation, "account", "de89 0001")
    assert found != blind_index(world.organisation, "identifier", "DE89 0001")
    assert found != blind_index(world.other, "account", "DE89 0001")
    assert blind_index(world.organisation, "mail", "Ada@X.org", folded=True) == blind_index(
        world.organisation, "mail", "ada@x.ORG", folded=True
    )


@given(st.text(max_size=40))
def test_the_normal_form_is_final(value: str) -> None:
    for folded in (False, True):
        once = normal_form(value, folded=folded)
        assert normal_form(once, folded=folded) == once


@given(st.text(max_size=20), st.text(max_size=20))
def test_only_equal_values_meet(one: str, other: str) -> None:
    assert (digest(b"k" * 32, "p", one) == digest(b"k" * 32, "p", other)) == (one == other)


def test_the_key_is_one_for_each_organisation(world) -> None:
    blind_index(world.organisation, "a", "x")
    blind_index(world.organisation, "b", "x")
    with tenant(world.organisation):
        assert IndexKey.objects.count() == 1
