"""The shared language model: format, decoder, adapters, heads, training. Import the module you need."""
