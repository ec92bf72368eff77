"""Rules and lists of an organisation: what people decide about payments beside the model."""
