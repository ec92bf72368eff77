"""ISO 20022: credit transfers and reports of their status, read strictly and without what they say of persons."""
