"""Clinical models: scores that follow a published chart, and the de-identification adapter."""
