"""How to train a base: the fields of the trainer's `BaseSpec` that are offered."""

from typing import Annotated, Literal

from pydantic import Field

from rootstock.adaptation.common_settings import CommonSettings, about


class BaseTrainSettings(CommonSettings):
    """How to train a base. The names are those of the trainer's `BaseSpec`.

    `recipe` "full" trains every weight; "distil" makes a student of `student_layers` of the base's layers, which learns
    its layers' states for `feature_epochs`, how it attends for `attention_epochs`, and its answers for `epochs`.
    `form` is how the new base is quantized.
    """

    groups = {
        "basic": ("Basics", "What matters most."),
        "method": ("Recipe", "Which weights learn, from what, and how the new base is stored."),
        "schedule": ("Schedule", "How long each stage runs, and how its learning rate moves."),
        "data": ("Data", "How examples are read."),
        "advanced": ("Advanced", "Memory, stability and repetition."),
    }

    learning_rate: Annotated[
        float,
        Field(gt=0, le=0.01),
        about(
            "basic", "Learning rate", "Its highest: a hundredth of an adapter's, since every weight moves."
        ),
    ] = 2e-5
    batch_size: Annotated[
        int, Field(ge=1, le=256), about("basic", "Batch size", "Examples of one step; more need more memory.")
    ] = 8
    max_tokens: Annotated[
        int, Field(ge=16, le=4096), about("basic", "Tokens of an example, at most", "What is longer is cut.")
    ] = 256

    recipe: Annotated[
        Literal["full", "distil"],
        about(
            "method",
            "Recipe",
            "Distilled: a student of some of the layers learns from the base in three stages.",
            words={"full": "Every weight", "distil": "Distilled into fewer layers"},
        ),
    ] = "full"
    student_layers: Annotated[
        int | None,
        Field(ge=1, le=1024),
        about(
            "method", "Layers of the student", "Evenly spaced, the last always. Empty: half of the base's."
        ),
    ] = None
    feature_epochs: Annotated[
        float,
        Field(gt=0, le=50),
        about("method", "Epochs on layers' states", "The first of the three stages of distilling."),
    ] = 1.0
    attention_epochs: Annotated[
        float,
        Field(gt=0, le=50),
        about("method", "Epochs on attention", "The second; the third, on answers, has the epochs above."),
    ] = 1.0
    temperature: Annotated[
        float,
        Field(gt=0, le=20),
        about("method", "Temperature", "Of the distributions that the third stage compares."),
    ] = 2.0
    hard_share: Annotated[
        float,
        Field(ge=0, le=1),
        about(
            "method", "Share of the answers themselves", "The rest is the base's distribution over tokens."
        ),
    ] = 0.5
    form: Annotated[
        Literal["int4", "int8", "mixed"],
        about(
            "method",
            "Stored in",
            "Of its linears. 8 bits keep what was learned; 4 bits are smaller and quicker.",
            words={"int4": "4 bits", "int8": "8 bits", "mixed": "4 bits, the rows it hurts most in 8"},
        ),
    ] = "int8"

    compute: Annotated[
        Literal["float32", "bfloat16", "float16"],
        about(
            "advanced",
            "Precision of products",
            "Weights are float32 always. bfloat16 where the device is quick at it, float16 (with a scaled loss) where "
            "it knows no bfloat16.",
            words={name: name for name in ("float32", "bfloat16", "float16")},
        ),
    ] = "float32"
