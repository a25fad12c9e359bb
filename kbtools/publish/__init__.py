"""Publishing a dataset on the Hub: `check` is asked before any work is done, `push` does it.

`target` says where a push goes and under which licence, `pushing` puts it there.

Imported on first use: most runs push nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kbtools import imported_on_demand

if TYPE_CHECKING:
    from kbtools.publish.command import Together as Together
    from kbtools.publish.command import together as together
    from kbtools.publish.pushing import Published as Published
    from kbtools.publish.pushing import push as push
    from kbtools.publish.target import PushPlan as PushPlan
    from kbtools.publish.target import PushRequest as PushRequest
    from kbtools.publish.target import exists as exists
    from kbtools.publish.target import plan_push as plan_push

_HOME = {
    "Published": ".pushing",
    "push": ".pushing",
    "PushPlan": ".target",
    "PushRequest": ".target",
    "Together": ".command",
    "exists": ".target",
    "plan_push": ".target",
    "together": ".command",
}
"""Module of every name above."""

if not TYPE_CHECKING:
    __getattr__ = imported_on_demand(__name__, _HOME)
