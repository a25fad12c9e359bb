"""The process that runs kernels in the interpreter."""
