"""Settings that every training has, and how a setting is described: forms, REST and commands are made from it."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

Group = Literal["basic", "method", "schedule", "data", "advanced"]
Share = Annotated[float, Field(ge=0, le=1)]


def about(group: Group, title: str, told: str = "", **more: Any) -> Any:
    """A setting's title and help, and the group that it is shown in."""
    return Field(title=title, description=told, json_schema_extra={"group": group, **more})


def _without_layout(schema: dict[str, Any]) -> None:
    """What is for forms alone is no part of the API's description."""
    for told in schema["properties"].values():
        told.pop("group", None)
        told.pop("words", None)


class CommonSettings(BaseModel):
    """One field for each setting, under the trainer's name for it, with bounds and words."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, json_schema_extra=_without_layout)
    groups: ClassVar[dict[Group, tuple[str, str]]]

    epochs: Annotated[
        float, Field(gt=0, le=50), about("basic", "Epochs", "How often every example is seen.")
    ] = 3.0
    learning_rate: Annotated[
        float,
        Field(gt=0, le=0.01),
        about("basic", "Learning rate", "Its highest; smaller for larger data sets."),
    ] = 2e-3
    batch_size: Annotated[
        int, Field(ge=1, le=64), about("basic", "Batch size", "Examples of one step; more need more memory.")
    ] = 8
    max_tokens: Annotated[
        int, Field(ge=16, le=1024), about("basic", "Tokens of an example, at most", "What is longer is cut.")
    ] = 256

    schedule: Annotated[
        Literal["cosine", "linear", "constant", "exponential"],
        about("schedule", "Learning rate falls", words={"constant": "Not at all", "linear": "In a line"}),
    ] = "cosine"
    warmup: Annotated[
        float,
        Field(ge=0, le=0.5),
        about("schedule", "Warm-up", "Share of the steps in which the learning rate rises."),
    ] = 0.06
    max_steps: Annotated[
        int | None,
        Field(ge=1, le=1_000_000),
        about("schedule", "Steps, at most", "Empty: as the epochs say."),
    ] = None
    evaluate_every: Annotated[
        int | None,
        Field(ge=1, le=100_000),
        about(
            "schedule",
            "Evaluate every so many steps",
            "And ask the questions. Needs an evaluation set or questions. Empty: after each epoch.",
        ),
    ] = None
    patience: Annotated[
        int | None,
        Field(ge=1, le=1000),
        about(
            "schedule",
            "Stop early after",
            "Evaluations in a row that are no better. Needs an evaluation set.",
        ),
    ] = None

    mix_schedule: Annotated[
        tuple[Share, ...],
        Field(min_length=2, max_length=2),
        about(
            "data",
            "Share of the second data set",
            "At the first and at the last step, a line each.",
            examples=[[0.0, 1.0]],
        ),
    ] = (0.0, 1.0)
    replay_share: Annotated[
        float,
        Field(ge=0, le=0.9),
        about(
            "data",
            "Share of replayed examples",
            "Of every batch, against forgetting what was learned before.",
        ),
    ] = 0.2
    sample_prompts: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=2000)], ...],
        Field(max_length=4),
        about(
            "data",
            "Questions to ask on the way",
            "Up to four, a line each: the answers at each checkpoint are shown. Of chats.",
            examples=[["Where is my parcel?"]],
        ),
    ] = ()
    label_smoothing: Annotated[
        float,
        Field(ge=0, le=0.5),
        about("data", "Label smoothing", "Keeps the model from being too sure; 0.1 at most is usual."),
    ] = 0.0

    accumulation: Annotated[
        int,
        Field(ge=1, le=64),
        about("advanced", "Batches to a step", "A larger batch in the memory of a smaller one."),
    ] = 1
    weight_decay: Annotated[float, Field(ge=0, le=1), about("advanced", "Weight decay")] = 0.01
    clip: Annotated[
        float,
        Field(gt=0, le=100),
        about("advanced", "Gradient clipping", "The longest step that a batch may ask for."),
    ] = 1.0
    recompute: Annotated[
        bool | None,
        about(
            "advanced", "Gradient checkpointing", "Layers are computed again on the way back: less memory."
        ),
    ] = None
    seed: Annotated[
        int,
        Field(ge=0, le=2**31 - 1),
        about("advanced", "Seed", "The same seed, data and settings train the same again."),
    ] = 0

    def recorded(self) -> dict[str, Any]:
        """For the audit trail, which keeps no text of a person: of questions, how many there are."""
        told = self.model_dump(mode="json")
        return told | {"sample_prompts": len(self.sample_prompts)}

    @classmethod
    def group_of(cls, name: str) -> Group:
        """The group that a field is shown in."""
        extra = cls.model_fields[name].json_schema_extra
        group: Group = extra["group"] if isinstance(extra, dict) else "advanced"  # type: ignore[assignment]
        return group
