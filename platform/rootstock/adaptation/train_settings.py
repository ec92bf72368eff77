"""How to train: one field for each setting of the trainer's `TrainSpec` that is offered, with bounds and words.

Forms, REST, the command and the OpenAI-compatible API are all made from these fields.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Group = Literal["basic", "method", "schedule", "data", "advanced"]
GROUPS: dict[Group, tuple[str, str]] = {
    "basic": ("Basics", "What matters most; the defaults suit a few dozen short examples."),
    "method": ("Method", "What of the adapter is trained, and how large it is."),
    "schedule": ("Schedule", "How long the training runs, and how its learning rate moves."),
    "data": ("Data", "How examples are read."),
    "advanced": ("Advanced", "Memory, stability and repetition."),
}
Target = Literal["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
TARGETS: tuple[Target, ...] = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def _about(group: Group, title: str, told: str = "", **more: Any) -> Any:
    return Field(title=title, description=told, json_schema_extra={"group": group, **more})


class TrainSettings(BaseModel):
    """How to train. The defaults suit a few dozen short examples."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    epochs: Annotated[
        float, Field(gt=0, le=50), _about("basic", "Epochs", "How often every example is seen.")
    ] = 3.0
    learning_rate: Annotated[
        float,
        Field(gt=0, le=0.01),
        _about("basic", "Learning rate", "Its highest; smaller for larger data sets."),
    ] = 2e-3
    batch_size: Annotated[
        int, Field(ge=1, le=64), _about("basic", "Batch size", "Examples of one step; more need more memory.")
    ] = 8
    max_tokens: Annotated[
        int, Field(ge=16, le=1024), _about("basic", "Tokens of an example, at most", "What is longer is cut.")
    ] = 256

    rank: Annotated[int, Field(ge=1, le=64), _about("method", "Rank", "The adapter's size: 4 to 64.")] = 8
    alpha: Annotated[
        float,
        Field(gt=0, le=256),
        _about("method", "Alpha", "Strength: what it adds is scaled by alpha over rank."),
    ] = 16.0
    dropout: Annotated[
        float,
        Field(ge=0, le=0.5),
        _about("method", "Dropout", "Share of the adapter left out at random, against learning by heart."),
    ] = 0.05
    targets: Annotated[
        tuple[Target, ...],
        Field(min_length=1, max_length=len(TARGETS)),
        _about("method", "Adapted projections", "All of them learn most; q and v alone are smallest."),
    ] = TARGETS
    last_layers: Annotated[
        int | None,
        Field(ge=1, le=200),
        _about("method", "Only the last layers", "2 or 10, say: quicker and smaller. Empty: all layers."),
    ] = None

    warmup: Annotated[
        float,
        Field(ge=0, le=0.5),
        _about("schedule", "Warm-up", "Share of the steps in which the learning rate rises."),
    ] = 0.06
    max_steps: Annotated[
        int | None,
        Field(ge=1, le=1_000_000),
        _about("schedule", "Steps, at most", "Empty: as the epochs say."),
    ] = None
    evaluate_every: Annotated[
        int | None,
        Field(ge=1, le=100_000),
        _about(
            "schedule", "Evaluate every so many steps", "Needs an evaluation set. Empty: after each epoch."
        ),
    ] = None

    label_smoothing: Annotated[
        float,
        Field(ge=0, le=0.5),
        _about("data", "Label smoothing", "Keeps the model from being too sure; 0.1 at most is usual."),
    ] = 0.0

    accumulation: Annotated[
        int,
        Field(ge=1, le=64),
        _about("advanced", "Batches to a step", "A larger batch in the memory of a smaller one."),
    ] = 1
    weight_decay: Annotated[float, Field(ge=0, le=1), _about("advanced", "Weight decay")] = 0.01
    clip: Annotated[
        float,
        Field(gt=0, le=100),
        _about("advanced", "Gradient clipping", "The longest step that a batch may ask for."),
    ] = 1.0
    recompute: Annotated[
        bool | None,
        _about(
            "advanced", "Gradient checkpointing", "Layers are computed again on the way back: less memory."
        ),
    ] = None
    seed: Annotated[
        int,
        Field(ge=0, le=2**31 - 1),
        _about("advanced", "Seed", "The same seed, data and settings train the same adapter."),
    ] = 0


def group_of(name: str) -> Group:
    """The group that a field is shown in."""
    extra = TrainSettings.model_fields[name].json_schema_extra
    group: Group = extra["group"] if isinstance(extra, dict) else "advanced"  # type: ignore[assignment]
    return group
