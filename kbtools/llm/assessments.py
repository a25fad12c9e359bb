"""Assessments of answers, kept in the response store: made once, so that every run goes on from the same feedback.

A message that a model was sent quotes them. Were an answer checked again, other random inputs would give other words,
and with them another request that is paid for again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping

from kbtools.data.digest import source_digest
from kbtools.errors import KbError
from kbtools.feedback import Assessment, Attempt, Feedback
from kbtools.models.store import Assessed, ResponseStore
from kbtools.plugins import registry
from kbtools.wording import counted


class Assessments:
    """What one way to check answers has said of attempts."""

    def __init__(self, feedback: Feedback, store: ResponseStore) -> None:
        self._feedback = feedback
        self._store = store
        self._of = identity(feedback)

    def known(self, attempts: Iterable[Attempt]) -> dict[Attempt, Assessment]:
        """The assessments that are there already."""
        keys = {attempt: self._key(attempt) for attempt in attempts}
        stored = self._store.assessments(keys.values())
        return {attempt: Assessment.model_validate_json(stored[key]) for attempt, key in keys.items() if key in stored}

    def make(self, asked: Mapping[Attempt, str]) -> Iterator[Assessment | None]:
        """Check these attempts, each with the key of its reply, and keep what is found, in their order."""
        attempts, count = list(asked), 0
        for attempt, found in zip(attempts, self._feedback.assess(attempts), strict=False):
            count += 1
            if found is not None:
                kept = Assessed(self._key(attempt), asked[attempt], found.model_dump_json())
                self._store.put_assessments([kept])
            yield found
        if count < len(attempts):
            raise KbError(
                f"feedback {self._feedback.name!r} gave {count} assessments for "
                f"{counted(len(attempts), 'attempt')}: its plugin "
                "must give one for each, None where the check failed."
            )

    def _key(self, attempt: Attempt) -> str:
        return _digest(self._of, attempt.model_dump_json())


def identity(feedback: Feedback) -> str:
    """Digest of all that an assessment depends on besides the attempt."""
    cls = type(feedback)
    origin = registry().origin(cls)
    made_by: Mapping[str, str] = {
        "name": cls.name,
        "distribution": origin.distribution if origin else "",
        "fields": feedback.model_dump_json(),
        "version": feedback.version() or source_digest(cls.__module__),
    }
    return _digest(*made_by.values())


def _digest(*parts: str) -> str:
    joined = "\0".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(joined.encode("utf-8", "surrogatepass")).hexdigest()
