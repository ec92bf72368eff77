"""Cycles of payments that are too long to be seen while a payment is scored: searched for by a job, and kept."""
