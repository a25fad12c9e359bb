"""A plugin that cannot be imported, and that must take nothing else down."""

from typing import ClassVar

import a_package_that_nobody_has

import kbtools as kb


class Polish(kb.Stage):
    """Would polish."""

    name: ClassVar[str] = "polish"
    scope: ClassVar[kb.stage.Scope] = "row"

    def transform(self, ds):
        """Never reached."""
        return a_package_that_nobody_has.polish(ds)


class Oracle(kb.Judge):
    """Would know."""

    judge: str = "oracle"
    """Name of this judge."""


@kb.hookimpl
def register_stages():
    """Never reached."""
    return [Polish]


@kb.hookimpl
def register_judges():
    """Never reached."""
    return [Oracle]
