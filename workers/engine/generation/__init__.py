"""Writing replies: requests and their candidates, choosing tokens, constraints, beams, text on its way out."""
