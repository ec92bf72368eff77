"""What can be told of texts without a model: near duplicates, repetition, personal data by its form. No torch."""
