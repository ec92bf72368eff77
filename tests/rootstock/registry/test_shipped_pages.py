"""What comes with Rootstock: listed with its figure, and a page for each card."""

from dataclasses import replace
from html import unescape
from typing import Any

import pytest

from models_zoo.zoo.cards import CARDS, cards_read
from models_zoo.zoo.tasks import shipped
from rootstock.registry.pages.shipped import Shipped, bar_pill, figure_words, resident_pill


def test_it_works(world: Any) -> None:
    client = world.browser(world.owner)
    listed = client.get("/adapters/bases/").content.decode()
    for card in cards_read():
        assert f"/adapters/shipped/{card.name}/" in listed
        page = unescape(client.get(f"/adapters/shipped/{card.name}/").content.decode())
        assert card.reference in page
        assert card.purpose.split(",")[0] in page
        assert f"{card.figures[0]['value']:.4f}" in page
        assert page.count("<li>") >= len(card.limits) + len(card.data)


def test_every_shipped_adapter_has_its_card() -> None:
    from models_zoo.llm.card import adapter_reference
    from models_zoo.zoo.tasks import task_of

    assert {path.stem for path in CARDS.glob("*.json")} == set(shipped())
    for card in cards_read():
        assert card.reference == adapter_reference(card.name, task_of(card.name).adapter)


@pytest.mark.parametrize("name", ["nobody", "meld-emotion", "..%2f..%2fpyproject"])
def test_there_is_no_other(world: Any, name: str) -> None:
    assert world.browser(world.owner).get(f"/adapters/shipped/{name}/").status_code == 404


def test_words() -> None:
    figure = {"part": "test_in_scope", "name": "accuracy", "value": 0.96}
    assert figure_words(figure) == "in scope accuracy"
    assert figure_words({"part": "test", "name": "macro_f1"}) == "macro f1"
    assert bar_pill(figure) == ""
    assert "Reached 0.955" in bar_pill(figure | {"least": 0.955})
    assert "Below 0.970" in bar_pill(figure | {"least": 0.97})
    card = replace(cards_read()[0], reference="a@0123456789ab")
    assert "retrained" in resident_pill(Shipped(card, "a@ba9876543210"))
    assert "retrained" not in resident_pill(Shipped(card, card.reference))


def test_the_figure_below_its_bar_is_listed() -> None:
    """An adapter that reaches one bar and misses another does not look as if it reached both."""
    reached, missed = (
        {"name": name, "value": value, "least": 0.9} for name, value in (("a", 0.95), ("b", 0.8))
    )
    card = replace(cards_read()[0], figures=({"name": "c", "value": 0.1}, reached, missed))
    assert Shipped(card, "").first == missed
    assert Shipped(replace(card, figures=(reached,)), "").first == reached
    assert Shipped(replace(card, figures=({"name": "c", "value": 0.1},)), "").first["name"] == "c"
    assert Shipped(replace(card, figures=()), "").first == {}
