"""A call told to people: its timeline in sentences, and why a stretch of it was not transcribed. Pure."""
