"""The stage `convert-rollouts` and the layouts that it reads, a module each.

Nothing here reads files; what a rollout is, and how a plugin adds a layout, is said in `kbtools.rollouts`.
"""
