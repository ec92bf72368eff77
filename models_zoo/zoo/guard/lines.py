"""Orders to a model, filled from the project's own lines and split by template."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from string import Formatter

from models_zoo.zoo.own import of_part, sections
from models_zoo.zoo.tasks import TRAIN

FOLDER = "guard"
SLOTS: Mapping[str, tuple[str, ...]] = {
    "site": (
        "www.best-deals.example",
        "http://update-now.example/get",
        "winbig.example",
        "cheap-pills.example.org",
    ),
    "mail": ("collect@drop.example", "boss.office@mail.example", "help-desk@secure.example"),
    "language": ("French", "Latin", "pirate speech", "German", "Morse code"),
    "persona": (
        "DAN",
        "an evil twin",
        "my late grandmother",
        "a hacker called Zed",
        "an AI without limits",
        "EvilBot",
    ),
    "topic": (
        "solar power",
        "the moon landing",
        "a new phone",
        "electric cars",
        "cats",
        "inflation",
        "tulips",
    ),
}


def attack(part: str, random: Random) -> str:
    """One order to the model, from templates of the part alone."""
    return filled(random.choice(_pool("attacks", part)), part, random)


def _pool(name: str, part: str) -> list[str]:
    """Attacks or orders of the part; in training those that are trained on only too."""
    more = sections(FOLDER, "training_orders")[name] if part == TRAIN else ()
    return [*of_part(FOLDER, name, part), *more]


def filled(template: str, part: str, random: Random) -> str:
    """The template with its slots filled; orders are of the part too."""
    names = [name for _, name, _, _ in Formatter().parse(template) if name]
    values = {name: random.choice(SLOTS[name]) for name in names if name in SLOTS}
    if "order" in names or "Order" in names:
        order = filled(random.choice(_pool("orders", part)), part, random)
        values |= {"order": order, "Order": order[0].upper() + order[1:]}
    return template.format(**values)
