"""The judges that ask language models: `model` asks one, `panel` several.

`letters` reads scores from log probabilities; `metamorphic` measures how far changes of the code that mean nothing move
a rating, and `rewrites` makes these changes.
"""
