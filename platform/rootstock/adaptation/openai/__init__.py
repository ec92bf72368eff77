"""OpenAI's files and fine-tuning jobs, at /v1: the same services in the words of another API."""
