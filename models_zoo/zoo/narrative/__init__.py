"""The narrative of a fraud case, from the decision and its reasons."""
