"""Generic addresses: windows of shared and local memory, and where buffers begin."""

SHARED_WINDOW, LOCAL_WINDOW = 1 << 40, 2 << 40
SPAN = 44
"""Bits of an address within its buffer; the number of the buffer, from 1, is in the bits above."""
LOWEST_BUFFER = 1 << SPAN
