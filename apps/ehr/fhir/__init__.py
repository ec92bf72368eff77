"""FHIR R4 in: what a Bundle must be, what is read from it, and what it says about a person over time."""
