"""The process that trains a base: as `workers.trainer.child`, whose protocol it keeps."""

from models_zoo.llm.card import record_from
from models_zoo.llm.training.bases import BaseSpec, train_base
from workers.trainer.child import Child, run


class BaseChild(Child):
    """The running child."""

    module = "workers.trainer.base_child"


if __name__ == "__main__":
    run(lambda values, duty, base: train_base(record_from(BaseSpec, values, where="spec"), duty))
