"""A section of a clinical note from what doctor and patient said."""
