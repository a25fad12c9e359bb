"""The stage `push`: publish the dataset on the Hugging Face Hub as it is at this point of the chain.

The work is `kbtools.publish`'s; here are the options, and how a push fits into a chain: its target is checked before
the first stage runs, and the rows pass through unchanged, so that a chain may push more than once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import kbtools as kb
from kbtools.data.table import rows_text

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

    from kbtools.publish import PushRequest


class Push(kb.Stage):
    """Publish the rows on the Hugging Face Hub, in one commit, with a card and the lineage."""

    name: ClassVar[str] = "push"
    scope: ClassVar[kb.stage.Scope] = "dataset"
    makes_rows: ClassVar[bool] = False

    repo: str | None = None
    """Where to: OWNER/NAME, or NAME for one of your own; made from the source and the stages when not given."""
    org: str | None = None
    """Owner when --repo names none; you, when not given."""
    private: Annotated[bool | None, "--private/--public"] = None
    """Who can see a new repository; private when not given."""
    branch: str = "main"
    """Branch that gets the commit; made from main when it does not exist."""
    pr: bool = False
    """Open a pull request instead of committing to the branch."""
    config_name: str = "default"
    """Configuration of the dataset; others in the same repository are left alone."""
    message: str | None = None
    """Commit message; the row counts when not given."""
    license: str | None = None
    """Licence, as the Hub writes it (mit, apache-2.0); the source's when not given."""
    replace: bool = False
    """Delete everything else in the repository, other configurations included."""
    overwrite: bool = False
    """Replace rows even if kbtools did not write them, or wrote them from another source."""
    max_shard_size: str = "500MB"
    """Size of a file from which on the next one is begun."""

    def preflight(self, before: Mapping[str, object]) -> tuple[str, ...]:
        """Check the token, the right to write and the licence, and say where the rows will go."""
        from kbtools.data.hub import client as hub
        from kbtools.publish import plan_push

        with hub.briefly():
            return plan_push(self._request(), kb.Recipe.model_validate(before)).lines

    def transform(self, ds: Dataset) -> kb.Result:
        """Publish a dataset as one split."""
        return self._push(ds)

    def transform_splits(self, splits: DatasetDict) -> kb.Result:
        """Publish all splits together."""
        return self._push(splits)

    def _push(self, data: Dataset | DatasetDict) -> kb.Result:
        from kbtools.publish import push

        done = push(data, self._request(), kb.lineage.of(data))
        notes = [f"pushed to {done.url}" if done.changed else f"{done.url} holds this already: no commit was made"]
        notes += [
            f"split {name} has no rows and was left out: load_dataset fails on such a split" for name in done.empty
        ]
        notes += [f"{rows_text(sum(done.rows.values()))} replaced {done.replaced}"] if done.replaced else []
        notes += [f"split {name} was there before: a push replaces its configuration whole" for name in done.former]
        facts: dict[str, Any] = {"repo": done.repo, "commit": done.commit, "url": done.url, "changed": done.changed}
        return kb.Result(data, notes=tuple(notes), facts=facts)

    def _request(self) -> PushRequest:
        from kbtools.publish import PushRequest

        fields = self.model_dump(exclude={"columns", "pr", "config_name"})
        return PushRequest(pull_request=self.pr, config=self.config_name, **fields)
