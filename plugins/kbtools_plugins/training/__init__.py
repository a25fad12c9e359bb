"""Stages that make training sets from judged rollouts: turns, pass rates, the best of each module, pairs, repairs.

`outcomes` says which rows are right, `answers` what they say; each other module is one stage. Nothing here runs a
kernel: verdicts, rewards and times are columns that `verify`, or whoever made the rollouts, has written.
"""
