"""Checks of an uploaded adapter, in the order of their cost, by a small process that never loads torch."""
