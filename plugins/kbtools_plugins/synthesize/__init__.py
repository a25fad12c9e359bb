"""Kernels by a model: modules become rollouts in the evals layout, of one turn or of several with a check in between.

`columns` is what a rollout's row holds, `dialogue` is one rollout as the stored replies and assessments tell it,
`replaying` many of them at once, `rounds` asks and checks what is not stored yet, and `stage` is what users see.
"""
