"""The rules to begin with, and what the documentation shows, hold water."""

import re
from pathlib import Path

from apps.fraud.rules.checking import definition_check
from apps.fraud.rules.example import EXAMPLE
from apps.fraud.rules.language import expression
from apps.fraud.rules.names import NAMES
from apps.fraud.rules.schemas import RulesIn

DOCS = (Path(__file__).parents[4] / "docs" / "fraud.md").read_text()


def test_the_example_holds_water():
    given = RulesIn.model_validate(EXAMPLE)
    assert len(definition_check(given.definition())) > 10


def test_the_documented_rules_are_read():
    shown = re.findall(r"```rule\n(.*?)```", DOCS, re.DOTALL)
    assert len(shown) == 1
    for line in shown[0].strip().splitlines():
        expression(line)


def test_the_documented_facts_are_all_of_them():
    shown = re.findall(r"^\| `(\w+)` \| (number|flag|channel) \| (.+) \|$", DOCS, re.MULTILINE)
    assert shown == [(name, kind, meaning) for name, (kind, meaning) in sorted(NAMES.items())]
