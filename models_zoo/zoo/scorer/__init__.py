"""How an answer reads beside its question and source: factual, safe, fair, helpful."""
