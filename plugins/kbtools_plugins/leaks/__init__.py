"""No leaks: near-duplicates, contamination by evaluation sets, and how far the two sides of a split are apart.

Code becomes a stream of tokens (`tokens`), a stream a set of shingles (`shingles`, `sets`), and sets are joined exactly
(`join`, `similar`). The stages are `near_dedup` and `decontaminate`; the stage `split` asks `leakage`.
"""
