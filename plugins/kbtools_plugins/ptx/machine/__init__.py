"""Runs a decoded kernel: registers of many programs at once, control flow, barriers and limits."""
