"""The built-in stages and judges of kbtools."""
