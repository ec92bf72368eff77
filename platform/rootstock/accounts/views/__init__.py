"""Pages of people, keys, settings and the person's own account."""
