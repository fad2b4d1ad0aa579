"""On-call: who has duty, and who is told next of an incident that nobody acknowledges."""
