"""Models of an organisation: bundles trained on its own payments, which of them scores, and who agreed to it."""
