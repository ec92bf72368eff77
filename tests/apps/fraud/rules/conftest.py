"""Rules as they are written, and what is in force without anybody's agreement: that is tested on its own."""

from typing import Any

import pytest

from apps.fraud.rules.stored import RulesInMemory
from tests.apps.fraud.conftest import api, bank, runtime

__all__ = ["api", "bank", "runtime"]


def rule(
    code: str = "LARGE", when: str = "amount > 1000", points: float = 50, **changes: Any
) -> dict[str, Any]:
    """A rule as it is sent."""
    return {"code": code, "text": f"Because {when}", "when": when, "points": points, **changes}


def definition(
    *rules: dict[str, Any], review: float = 40, decline: float = 90, weight: float = 1.0
) -> dict[str, Any]:
    """Rules of one typology as they are sent."""
    typology = {"name": "test", "label": "Test", "weight": weight, "rules": list(rules or [rule()])}
    return {"review": review, "decline": decline, "typologies": [typology]}


@pytest.fixture
def fresh_rules(runtime: Any) -> None:
    """The worker looks at every batch whether something has changed."""
    runtime._consumers["fraud.score"].handler.rules = RulesInMemory(fresh_s=0.0)
