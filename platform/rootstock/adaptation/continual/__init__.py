"""Continual adaptation: what is newly labelled is learned by the clock, and put forward only when it is better."""
