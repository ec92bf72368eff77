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
MOST_ALPHA = 256.0
Share = Annotated[float, Field(ge=0, le=1)]
TARGETS: tuple[Target, ...] = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def _about(group: Group, title: str, told: str = "", **more: Any) -> Any:
    return Field(title=title, description=told, json_schema_extra={"group": group, **more})


def _without_layout(schema: dict[str, Any]) -> None:
    """What is for forms alone is no part of the API's description."""
    for told in schema["properties"].values():
        told.pop("group", None)
        told.pop("words", None)


class TrainSettings(BaseModel):
    """How to train. The defaults suit a few dozen short examples."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, json_schema_extra=_without_layout)

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

    method: Annotated[
        Literal["lora", "two_stage", "dpo"],
        _about(
            "method",
            "Method",
            "Two stages: the head alone first, for data with labels. DPO: for pairs of a better and a worse answer.",
            words={"lora": "LoRA", "two_stage": "Two-stage LoRA", "dpo": "DPO"},
        ),
    ] = "lora"
    rank: Annotated[int, Field(ge=1, le=64), _about("method", "Rank", "The adapter's size: 4 to 64.")] = 8
    alpha: Annotated[
        float,
        Field(gt=0, le=MOST_ALPHA),
        _about("method", "Alpha", "Strength: what it adds is scaled by alpha over rank."),
    ] = 16.0
    rs_lora: Annotated[
        bool,
        _about(
            "method", "Rank-stabilised scale", "Scaled by alpha over the root of the rank: for large ranks."
        ),
    ] = False
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
    head_epochs: Annotated[
        float,
        Field(gt=0, le=50),
        _about("method", "Epochs of the head alone", "The first of two stages."),
    ] = 1.0
    beta: Annotated[
        float,
        Field(gt=0, le=10),
        _about("method", "Beta", "Of DPO: how dear it is to differ from the start; less learns more."),
    ] = 0.1

    schedule: Annotated[
        Literal["cosine", "linear", "constant", "exponential"],
        _about("schedule", "Learning rate falls", words={"constant": "Not at all", "linear": "In a line"}),
    ] = "cosine"
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
            "schedule",
            "Evaluate every so many steps",
            "And ask the questions. Needs an evaluation set or questions. Empty: after each epoch.",
        ),
    ] = None
    patience: Annotated[
        int | None,
        Field(ge=1, le=1000),
        _about(
            "schedule",
            "Stop early after",
            "Evaluations in a row that are no better. Needs an evaluation set.",
        ),
    ] = None

    answers_only: Annotated[
        bool, _about("data", "Learn the answers only", "Of chats; else every turn is learned.")
    ] = True
    packing: Annotated[
        bool,
        _about("data", "Packing", "Several short examples in one row: quicker. Not for classification."),
    ] = False
    multi_label: Annotated[
        bool, _about("data", "Several labels at once", "Of classification: a text may have any number.")
    ] = False
    mix_schedule: Annotated[
        tuple[Share, ...],
        Field(min_length=2, max_length=2),
        _about(
            "data",
            "Share of the second data set",
            "At the first and at the last step, a line each.",
            examples=[[0.0, 1.0]],
        ),
    ] = (0.0, 1.0)
    replay_share: Annotated[
        float,
        Field(ge=0, le=0.9),
        _about(
            "data",
            "Share of replayed examples",
            "Of every batch, against forgetting what was learned before.",
        ),
    ] = 0.2
    sample_prompts: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=2000)], ...],
        Field(max_length=4),
        _about(
            "data",
            "Questions to ask on the way",
            "Up to four, a line each: what the adapter answers at each checkpoint is shown. Of chats.",
            examples=[["Where is my parcel?"]],
        ),
    ] = ()
    label_smoothing: Annotated[
        float,
        Field(ge=0, le=0.5),
        _about("data", "Label smoothing", "Keeps the model from being too sure; 0.1 at most is usual."),
    ] = 0.0

    head_learning_rate: Annotated[
        float,
        Field(gt=0, le=0.1),
        _about("advanced", "Learning rate of the head", "For data with labels."),
    ] = 1e-3
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
    compute: Annotated[
        Literal["auto", "float32", "bfloat16", "float16"],
        _about(
            "advanced",
            "Precision of products",
            "Mixed: parameters and sums stay float32. bfloat16 where the device is quick at it, float16 (with a "
            "scaled loss) where it knows no bfloat16.",
            words={
                "auto": "As suits the device",
                "float32": "float32",
                "bfloat16": "bfloat16",
                "float16": "float16",
            },
        ),
    ] = "auto"
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

    def recorded(self) -> dict[str, Any]:
        """For the audit trail, which keeps no text of a person: of questions, how many there are."""
        told = self.model_dump(mode="json")
        return told | {"sample_prompts": len(self.sample_prompts)}


def group_of(name: str) -> Group:
    """The group that a field is shown in."""
    extra = TrainSettings.model_fields[name].json_schema_extra
    group: Group = extra["group"] if isinstance(extra, dict) else "advanced"  # type: ignore[assignment]
    return group
