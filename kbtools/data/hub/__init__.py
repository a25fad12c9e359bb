"""The Hugging Face Hub: asking it, loading from it, and commits that land whole."""
