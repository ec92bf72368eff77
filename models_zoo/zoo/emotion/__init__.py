"""Which emotions an utterance expresses."""
