"""Settings of the processes that hold the base: engines and trainers."""

from rootstock.variables import choice, integer

# Of a worker that holds the base: answers written at once, device slots of adapters, memory of keys and values, host
# memory of adapters, and the milliseconds between tokens that trainings leave it.
ENGINE_SEQUENCES = integer("ROOTSTOCK_ENGINE_SEQUENCES", 16, 1)
ENGINE_SLOTS = integer("ROOTSTOCK_ENGINE_SLOTS", 16, 4)
ENGINE_KV_BYTES = integer("ROOTSTOCK_ENGINE_KV_MB", 512, 1) * 2**20
ENGINE_ADAPTER_BYTES = integer("ROOTSTOCK_ENGINE_ADAPTERS_MB", 512, 1) * 2**20
# Per cent of a worker's slots and adapter memory that one organisation's kept adapters may take.
ENGINE_KEPT_SHARE = integer("ROOTSTOCK_ENGINE_KEPT_PERCENT", 25, 1)
ENGINE_RANK = integer("ROOTSTOCK_ENGINE_RANK", 64, 1)  # the largest of an adapter that a worker takes
# How a CUDA worker holds the base; empty: what memory and the answers written at once suggest.
ENGINE_FORM = choice("ROOTSTOCK_ENGINE_FORM", "", ("", "int4", "fp8", "bfloat16"))
ENGINE_TOKEN_MS = integer("ROOTSTOCK_ENGINE_TOKEN_MS", 30, 1)
CHECKPOINT_S = integer("ROOTSTOCK_CHECKPOINT_S", 30, 1)
# Memory of a base's training, at most; 0: what is free.
TRAIN_BYTES = integer("ROOTSTOCK_TRAIN_MEMORY_MB", 0) * 2**20
# Processes of a training, each on a device of its own.
TRAIN_PROCESSES = integer("ROOTSTOCK_TRAIN_PROCESSES", 1, 1)
BASE_WAIT_S = integer("ROOTSTOCK_BASE_WAIT_S", 120, 0)
