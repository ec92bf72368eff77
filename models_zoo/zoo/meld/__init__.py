"""Emotions in a conversation, measured only: the data may not be trained on for what ships."""
