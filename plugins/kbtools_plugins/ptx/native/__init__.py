"""The machine in C beside the one in numpy: the same results, bit by bit, and the same faults.

`table` has each lane by lane instruction once, as a numpy function and as an expression in C; `source` writes the
interpreter of a small bytecode from it, `library` has it built by `cc` once and kept. `fused` makes bytecode of runs of
instructions within a block; `accesses` and `matrix` do memory and mma. Each of them does what it can be sure of and
leaves the rest, every fault among it, to numpy: without a compiler nothing is different but the time.
"""
