"""Many dialogues at once, taken as far as the stored replies and assessments go."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from kbtools.data.conversations.reasoning import TagRule
from kbtools.llm import RowInputs
from kbtools.llm.assessments import Assessments
from kbtools.models.store import ResponseStore, chunks
from kbtools_plugins.synthesize.dialogue import Dialogue, Status

TOGETHER = 250
"""Dialogues that are in memory at once, more where a module has more rollouts."""


@dataclass(frozen=True)
class Replaying:
    """How dialogues follow from what is stored."""

    opened: Callable[[RowInputs], Dialogue]
    tag: TagRule
    store: ResponseStore
    assessments: Assessments
    rollouts: int
    enough: int
    """Right answers of a module after which no further rollout of it is begun; 0 begins all of them."""
    since: float = 0.0
    """Failures stored before this time are not final: they are asked about again."""

    def dialogues(self, given: Iterable[RowInputs]) -> Iterator[Dialogue]:
        """The dialogues of whole modules, whose rollouts follow each other."""
        modules = max(1, TOGETHER // self.rollouts)
        for some in chunks(given, modules * self.rollouts):
            dialogues = [self.opened(inputs) for inputs in some]
            groups = list(chunks(dialogues, self.rollouts))
            while self._begun(groups) | self._advanced(dialogues):
                pass
            yield from dialogues

    def _begun(self, groups: Iterable[Sequence[Dialogue]]) -> bool:
        """Begin what is wanted: of each module the first rollouts, while too few right answers can come of those."""
        begun = False
        for group in groups:
            hoped = 0
            for dialogue in group:
                if dialogue.status is Status.IDLE:
                    if self.enough and hoped >= self.enough:
                        break
                    dialogue.start()
                    begun = True
                hoped += dialogue.passed or dialogue.under_way
        return begun

    def _advanced(self, dialogues: Sequence[Dialogue]) -> bool:
        """Take every dialogue a step further; whether there was any such step."""
        asking = [it for it in dialogues if it.status is Status.ASKS]
        replies = self.store.replies({it.request.key for it in asking if it.request})
        for dialogue in asking:
            assert dialogue.request is not None, "a dialogue that asks without a request"
            dialogue.hear(replies.get(dialogue.request.key), self.since, self.tag)
        checking = [it for it in dialogues if it.status is Status.CHECKS]
        known = self.assessments.known(it.turns[-1].attempt for it in checking)
        for dialogue in checking:
            dialogue.learn(known.get(dialogue.turns[-1].attempt))
        return bool(asking or checking)
