"""Publishing a dataset on the Hub: `check` is asked before any work is done, `push` does it.

`target` says where a push goes and under which licence, `pushing` puts it there.
"""

from kbtools.publish.pushing import Published as Published
from kbtools.publish.pushing import push as push
from kbtools.publish.target import PushPlan as PushPlan
from kbtools.publish.target import PushRequest as PushRequest
from kbtools.publish.target import Together as Together
from kbtools.publish.target import exists as exists
from kbtools.publish.target import plan_push as plan_push
from kbtools.publish.target import together as together
