"""What a customer wants, of 150 intents, or none of them."""
