"""Importing this module imports torch and triton with Triton's CPU interpreter switched on.

Only the processes that run candidates import it: the switch is read once, when triton is imported, and must not
reach the program that asks for the measurement.
"""

import os

os.environ["TRITON_INTERPRET"] = "1"

import torch  # noqa: E402, F401
import triton  # noqa: E402, F401
import triton.language  # noqa: E402, F401
