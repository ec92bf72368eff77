"""The list of the usage page."""

from dataclasses import dataclass

from rootstock.console.tables import Column, Empty, Table


@dataclass(slots=True, frozen=True)
class UsageRow:
    """What one caller used of one model in the period."""

    pk: str
    caller: str
    model: str
    calls: int
    prompt: int
    cached: int
    written: int
    tokens: int


USAGE = Table(
    name="usage",
    label="Callers and models",
    columns=[
        Column("caller", "Caller", css="strong"),
        Column("model", "Model", css="mono"),
        Column("calls", "Calls", css="num"),
        Column("prompt", "Prompt tokens", css="num"),
        Column("cached", "of them cached", css="num"),
        Column("written", "Written tokens", css="num"),
        Column("tokens", "Tokens", css="num"),
    ],
    csv=False,
    views=False,
    empty=Empty(
        "Nothing used in this time",
        "Try a model in the playground, or call it over the API with a key that has the scope models:use.",
        "gauge",
    ),
)
