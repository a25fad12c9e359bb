"""Importing this module gives torch and triton as measurements need them, and takes seconds.

Triton's CPU interpreter is on, torch runs on one thread, and memory of `torch.empty` is NaN, so that outputs
which a kernel does not write show. Only the processes that run candidates import it: the settings hold for a
whole process and must not reach the program that asks for the measurement.
"""

import os

os.environ["TRITON_INTERPRET"] = "1"  # read when triton is imported

import torch
import triton.language  # noqa: F401

torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)
