"""Fraud: payments scored on arrival, with reasons."""
