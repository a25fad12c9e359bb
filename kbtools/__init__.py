"""kbtools: chains of stages over Hugging Face datasets of kernel code."""
