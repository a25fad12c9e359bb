"""The processes of a check: starting and ending them, and what they may still do."""
