"""Pages of the registry: adapters and their versions, aliases and who moves them, where weights lie."""
