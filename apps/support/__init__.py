"""The support desk: conversations answered by the shared base, with the emotion of each customer turn read."""
