"""The experts beside boosting: a temporal graph encoder, a sequence encoder, and their fusion with boosting."""
