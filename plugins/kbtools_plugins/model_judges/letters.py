"""Scores asked as one letter, A for 0 to K for 10, and weighed by the log probabilities of the letters.

"10" is two tokens in many tokenizers, a letter is one; so the distribution over the first token is the distribution
over the scores.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from kbtools.models.contract import Invalid
from kbtools.models.reply import Reply

LETTERS = "ABCDEFGHIJK"


@dataclass(frozen=True)
class LetterScore:
    """Expected score from 0 to 10, and the probability that the valid letters had together."""

    expected: float
    mass: float


@dataclass(frozen=True)
class LetterContract:
    """One letter from A to K and nothing else."""

    @property
    def shape(self) -> str:
        """The form in words."""
        return "one letter from A to K"

    def parse(self, text: str) -> dict[str, object]:
        """The score of the letter."""
        if text.strip() not in LETTERS or len(text.strip()) != 1:
            raise Invalid(f"{text!r} is not one letter from A to K")
        return {"letter": LETTERS.index(text.strip())}


def letter_score(reply: Reply | None) -> LetterScore | None:
    """The weighted score of a reply's first token; None without log probabilities of any letter."""
    if reply is None or not reply.ok:
        return None
    tokens = reply.reading().logprobs
    if not tokens:
        return None
    chances: dict[str, float] = {}
    for token, logprob in {(tokens[0].token, tokens[0].logprob), *tokens[0].top}:
        letter = token.strip()
        if len(letter) == 1 and letter in LETTERS:
            chances[letter] = chances.get(letter, 0.0) + math.exp(logprob)
    mass = sum(chances.values())
    if not mass:
        return None
    return LetterScore(sum(LETTERS.index(letter) * chance for letter, chance in chances.items()) / mass, min(mass, 1.0))
