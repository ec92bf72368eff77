"""What an organisation may have kept in workers: counted as workers hold it, and exact."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from rootstock.accounts.tenancy import tenant
from rootstock.errors import Conflict
from rootstock.registry import keeping
from rootstock.registry.base import base_card
from rootstock.registry.models import AdapterVersion
from tests.fixtures.registry import version_row

CARD = {"task": "chat", "rank": 1, "targets": ["q_proj"], "layers": 1}


def test_kept_adapters_have_a_budget(world: Any, make_version: Any, settings: Any) -> None:
    """Counted as they lie in memory, whatever size their files are of."""
    made = [make_version(card=CARD, bytes=2**40) for _ in range(4)]
    base = base_card()
    assert base
    one = keeping.held_bytes(made[0], base, {"bfloat16"})
    settings.ENGINE_SLOTS, settings.ENGINE_KEPT_SHARE, settings.ENGINE_ADAPTER_BYTES = 8, 25, 12 * one

    def keep(version: Any, keep: str) -> None:
        keeping.version_keep(organisation=world.organisation, reference=version.reference, keep=keep)

    for version in made[:2]:
        keep(version, "pinned")
        keep(version, "pinned")
    with pytest.raises(Conflict, match="may pin 2 adapters"):
        keep(made[2], "pinned")
    keep(made[2], "warm")
    with pytest.raises(
        Conflict, match=r"kept adapters would take .* MiB of a worker, your organisation may have"
    ):
        keep(made[3], "warm")
    keep(made[0], "")
    keep(made[2], "pinned")
    keep(made[3], "warm")


def test_an_adapter_of_rank_1_takes_what_one_of_rank_16_does(world: Any, make_version: Any) -> None:
    base = base_card()
    assert base
    low, high = (make_version(card=CARD | {"rank": rank}) for rank in (1, 16))
    assert keeping.held_bytes(low, base, {"bfloat16"}) == keeping.held_bytes(high, base, {"bfloat16"})
    assert keeping.held_bytes(low, base, {"bfloat16", "float32"}) == 2 * keeping.held_bytes(
        low, base, {"bfloat16"}
    )


def test_the_budget_holds_when_many_ask_at_once(committed_world: Any, base: Path, settings: Any) -> None:
    settings.ENGINE_SLOTS, settings.ENGINE_KEPT_SHARE = 8, 25
    with tenant(committed_world.organisation) as owner:
        made = [version_row(owner, card=CARD) for _ in range(6)]

    def pin(version: AdapterVersion) -> bool:
        try:
            keeping.version_keep(
                organisation=committed_world.organisation, reference=version.pk, keep="pinned"
            )
        except Conflict:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(pin, made)) == 2
