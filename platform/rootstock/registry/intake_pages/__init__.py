"""Pages on which adapters are brought, and on which each check's outcome is seen as it comes."""
