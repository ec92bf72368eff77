"""How to train an adapter: the fields of the trainer's `TrainSpec` that are offered."""

from typing import Annotated, Literal

from pydantic import Field

from rootstock.adaptation.common_settings import CommonSettings, about

Target = Literal["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
MOST_ALPHA = 256.0
TARGETS: tuple[Target, ...] = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


class TrainSettings(CommonSettings):
    """How to train. The defaults suit a few dozen short examples."""

    groups = {
        "basic": ("Basics", "What matters most; the defaults suit a few dozen short examples."),
        "method": ("Method", "What of the adapter is trained, and how large it is."),
        "schedule": ("Schedule", "How long the training runs, and how its learning rate moves."),
        "data": ("Data", "How examples are read."),
        "advanced": ("Advanced", "Memory, stability and repetition."),
    }

    method: Annotated[
        Literal["lora", "two_stage", "dpo"],
        about(
            "method",
            "Method",
            "Two stages: the head alone first, for data with labels. DPO: for pairs of a better and a worse answer.",
            words={"lora": "LoRA", "two_stage": "Two-stage LoRA", "dpo": "DPO"},
        ),
    ] = "lora"
    rank: Annotated[int, Field(ge=1, le=64), about("method", "Rank", "The adapter's size: 4 to 64.")] = 8
    alpha: Annotated[
        float,
        Field(gt=0, le=MOST_ALPHA),
        about("method", "Alpha", "Strength: what it adds is scaled by alpha over rank."),
    ] = 16.0
    rs_lora: Annotated[
        bool,
        about(
            "method", "Rank-stabilised scale", "Scaled by alpha over the root of the rank: for large ranks."
        ),
    ] = False
    dropout: Annotated[
        float,
        Field(ge=0, le=0.5),
        about("method", "Dropout", "Share of the adapter left out at random, against learning by heart."),
    ] = 0.05
    targets: Annotated[
        tuple[Target, ...],
        Field(min_length=1, max_length=len(TARGETS)),
        about("method", "Adapted projections", "All of them learn most; q and v alone are smallest."),
    ] = TARGETS
    last_layers: Annotated[
        int | None,
        Field(ge=1, le=200),
        about("method", "Only the last layers", "2 or 10, say: quicker and smaller. Empty: all layers."),
    ] = None
    head_epochs: Annotated[
        float,
        Field(gt=0, le=50),
        about("method", "Epochs of the head alone", "The first of two stages."),
    ] = 1.0
    beta: Annotated[
        float,
        Field(gt=0, le=10),
        about("method", "Beta", "Of DPO: how dear it is to differ from the start; less learns more."),
    ] = 0.1

    answers_only: Annotated[
        bool, about("data", "Learn the answers only", "Of chats; else every turn is learned.")
    ] = True
    packing: Annotated[
        bool,
        about("data", "Packing", "Several short examples in one row: quicker. Not for classification."),
    ] = False
    multi_label: Annotated[
        bool, about("data", "Several labels at once", "Of classification: a text may have any number.")
    ] = False

    head_learning_rate: Annotated[
        float,
        Field(gt=0, le=0.1),
        about("advanced", "Learning rate of the head", "For data with labels."),
    ] = 1e-3
    compute: Annotated[
        Literal["auto", "float32", "bfloat16", "float16"],
        about(
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
