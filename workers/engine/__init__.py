"""The engine that serves one quantized base and many adapters: scheduler, slots, one thread."""
