"""Dataset cards: the README of a pushed dataset, written from what was measured and recorded.

`document` puts a card together and keeps what is the user's, `metadata` does its YAML head, `facts` looks at the rows,
`column_docs` knows the columns. The wording is in `dataset-card-v1.j2`; a released version never changes.
"""

from kbtools.card.document import Card as Card
from kbtools.card.document import render as render
