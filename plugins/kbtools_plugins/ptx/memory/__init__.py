"""Memory of a launch: every access is checked, and shadows say what was written, by whom, and when.

`buffer` is what the caller hands in, `global_memory` finds it behind made-up addresses, `shared` belongs to each
program, `local` to each thread; `owners` and `epochs` find races between programs and within one; `cells` has what all
share; `atomic` lets threads take turns.
"""
