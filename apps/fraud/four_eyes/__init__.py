"""What decides about payments is asked for by one person and agreed to by another: models and rules alike."""
