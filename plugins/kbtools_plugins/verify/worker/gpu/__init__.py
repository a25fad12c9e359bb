"""The process that runs and times recorded traces on a CUDA device."""
