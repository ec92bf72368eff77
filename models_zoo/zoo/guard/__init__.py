"""Whether a message, or a document that is to be read for somebody, tries to give orders to the model."""
