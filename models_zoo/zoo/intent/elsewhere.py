"""Questions that no assistant's intents cover: CLINC150 gives a hundred to train on, real people ask anything."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from string import Formatter

TEMPLATES = (
    "what is the capital of {place}", "who was the first president of {place}", "how many people live in {place}",
    "what language do they speak in {place}", "how tall is {landmark}", "who built {landmark}",
    "when was {landmark} finished", "who won the {contest} in {year}", "who is playing in the {contest}",
    "what are the rules of {game}", "how do i get better at {game}", "who invented {thing}",
    "how does {thing} work", "how much does {thing} weigh", "what is {thing} made of", "how do i clean {thing}",
    "where can i buy {thing} second hand", "how do i fix a broken {thing}", "what does {animal} eat",
    "how long does {animal} live", "is {animal} dangerous", "why do {animal} sleep so much",
    "who wrote {book}", "what happens at the end of {book}", "is there a film of {book}",
    "what is the chemical symbol of {element}", "at what temperature does {element} melt",
    "how do i solve {sums}", "can you explain {science} to me", "what is the difference between {science} and {sums}",
    "what year did {event} start", "why did {event} happen", "who was king during {event}",
    "what are good exercises for {body}", "why does my {body} hurt when i run", "how do i draw {animal}",
    "which colours go with {colour} walls", "what is the dress code for {occasion}", 
    "what should i write on a card for {occasion}",
    "how many calories are in a marathon", "how do i become a {job}", "how much does a {job} earn",
    "what should i study to be a {job}", "find me a {job} near {place}", "who is the mayor of {place}",
    "what is the tallest mountain in {place}", "is {place} in the european union",
    "what is on at the cinema in {place}",
    "how do i tie {knot}", "how do i knit {thing}", "what is the best soil for {plant}", "when should i prune {plant}",
    "how deep do i plant {plant}", "what is a synonym I could use in an essay about {event}",
    "how do i write a cover letter as a {job}", "give me three names for {animal}", "who painted the {colour} room",
    "how do i train {animal} to stay", "which team has the most titles in {game}", "what is the record for {contest}",
    "how do i install a printer driver", "why is my laptop fan so loud", "how do i change the oil in a van",
    "how do i unblock a sink", "what is a good wage for a {job}", "how do i appeal a court decision",
    "what documents do i need to adopt {animal}", "how do i start a podcast about {science}",
    "what do economists think of {event}", "how do i get {colour} paint out of a carpet",
)  # fmt: skip
SLOTS: Mapping[str, tuple[str, ...]] = {
    "place": (
        "peru",
        "norway",
        "kenya",
        "the netherlands",
        "japan",
        "montana",
        "lisbon",
        "new zealand",
        "chad",
    ),
    "landmark": ("the eiffel tower", "the hoover dam", "big ben", "the great wall", "the golden gate bridge"),
    "contest": (
        "world cup",
        "olympic long jump",
        "super bowl",
        "eurovision",
        "chess championship",
        "tour de france",
    ),
    "year": ("1998", "2004", "2010", "1986", "last year"),
    "game": ("chess", "cricket", "poker", "rugby", "go", "baseball"),
    "thing": (
        "a microscope",
        "the steam engine",
        "a violin",
        "a bicycle",
        "glass",
        "a kite",
        "a telescope",
        "velcro",
    ),
    "animal": ("an octopus", "bats", "a hedgehog", "koalas", "a parrot", "sharks", "a tortoise"),
    "book": ("moby dick", "the odyssey", "dracula", "middlemarch", "don quixote"),
    "element": ("gold", "helium", "tungsten", "mercury", "sodium"),
    "sums": (
        "a quadratic equation",
        "long division",
        "a derivative",
        "an integral",
        "simultaneous equations",
    ),
    "science": ("photosynthesis", "plate tectonics", "entropy", "natural selection", "quantum tunnelling"),
    "event": (
        "the french revolution",
        "the cold war",
        "the gold rush",
        "the black death",
        "the moon landing",
    ),
    "body": ("lower back", "left knee", "shoulder", "ankle"),
    "colour": ("green", "navy", "ochre", "grey", "pink"),
    "occasion": ("a wedding", "a funeral", "a christening", "a retirement"),
    "job": ("plumber", "pilot", "pharmacist", "translator", "welder", "judge"),
    "knot": ("a bow tie", "a reef knot", "a windsor knot", "a bowline"),
    "plant": ("roses", "tomatoes", "an apple tree", "lavender", "garlic"),
}


def questions(count: int, random: Random) -> list[str]:
    """So many different ones, or as many as there are."""
    found: dict[str, None] = {}
    for _ in range(20 * count):
        if len(found) == count:
            break
        found[_filled(random.choice(TEMPLATES), random)] = None
    return list(found)


def _filled(template: str, random: Random) -> str:
    names = [name for _, name, _, _ in Formatter().parse(template) if name]
    return template.format(**{name: random.choice(SLOTS[name]) for name in names})
