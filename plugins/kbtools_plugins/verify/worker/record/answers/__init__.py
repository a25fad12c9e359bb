"""Which answers a candidate's Python gets that are not about its inputs, and what it does when they are others."""
