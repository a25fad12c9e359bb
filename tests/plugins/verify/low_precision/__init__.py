"""Kernels in bf16, fp16, fp8 and int8, each with a twin that is wrong in the way that such kernels are."""
