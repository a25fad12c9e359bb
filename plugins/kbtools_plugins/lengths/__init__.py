"""The stage `lengths`: what rows cost in tokens, counted through a chat template, and which seq_len that asks for.

`tokenizer` finds and loads, `template` renders, `conversation` reads rows, `counters` count, `distribution` and
`packing` turn counts into figures, `figures` holds them, `drawing` draws them, and `stage` puts all of it together.
"""
