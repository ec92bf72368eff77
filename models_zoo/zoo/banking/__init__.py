"""What a bank's customer wants, of 77 intents."""
