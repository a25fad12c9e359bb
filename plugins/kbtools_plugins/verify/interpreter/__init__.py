"""The tier that goes after this release: kernels in Triton's interpreter, as a cross-check of the PTX machine."""
