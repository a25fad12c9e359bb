"""The base of stages for which a model writes a text that the stage judges by itself, row by row."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import JsonValue, PrivateAttr

from kbtools.llm.model_stage import ModelStage
from kbtools.llm.parts import Question, TextContract
from kbtools.models.backend import Review
from kbtools.models.contract import Accepting, Contract
from kbtools.plugins import prompt


class TextGenerationStage(ModelStage):
    """A stage that asks with one prompt for a text of any form."""

    template: str
    """Prompt that asks for the text."""

    _question: Question = PrivateAttr()

    def model_post_init(self, context: object) -> None:
        """Read the template once: a file may change while the stage runs."""
        found = prompt(self.template)
        self._question = Question(found, self.sampling(found.front.model), TextContract())

    @property
    def question(self) -> Question:
        """What all requests have in common."""
        return self._question

    def prompts(self) -> Mapping[str, str]:
        """The template's text."""
        found = self.question.prompt
        return {found.spec: found.text}

    def config(self) -> dict[str, JsonValue]:
        """As of every stage that asks, with the template's version spelled out."""
        return {**super().config(), "template": self.pinned(self.template)}

    def contract(self) -> Contract:
        """Any text; what it says is checked row by row."""
        return self.question.contract

    def review(self) -> Review:
        """A text is not repaired: what is wrong with it is said row by row, and asked again by the next run."""
        return Accepting()
