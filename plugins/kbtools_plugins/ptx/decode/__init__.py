"""Parsed functions to what the machine runs: basic blocks of steps, and registers as numbered slots."""
