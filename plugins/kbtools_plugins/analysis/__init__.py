"""Statistics over columns: the stages `correlate`, `agreement` and `stats`, which leave the dataset as it is.

For each stage there is a module of figures and their computation, one that draws them, and the stage itself.
"""
