"""Publishing a dataset on the Hub: `check` is asked before any work is done, `push` does it.

`target` says where a push goes and under which licence, `pushing` puts it there.
"""

from kbtools.publish.pushing import Published as Published
from kbtools.publish.pushing import push as push
from kbtools.publish.target import Plan as Plan
from kbtools.publish.target import Request as Request
from kbtools.publish.target import check as check
