"""The process that runs recorded traces on the PTX machine: what a device would load, executed on the CPU."""
