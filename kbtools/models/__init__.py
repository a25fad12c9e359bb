"""Model calls that lose nothing: plan requests, run them into the response store, replay them from it.

requests = [chat(backend.model, messages, sampling=sampling) for messages in prompts]
run_requests(requests, backend, store, options, progress, review=Repairing(contract))
rows = parse_replies(contract, requests, store)

From the bottom up:

- `request` what is asked, and its key; `reply` what came; `schema` and `structured` the fields of a reply
- `store/` where replies are kept
- `options`, `budget`, `limits`, `retry` how calls may be made; `progress` what is told of them
- `backend` what a backend is; `backends/` those there are; `profiles` and `spec` which one `--model` means
- `lookup` what still has to be sent; `online` (with `attempts`) sends it one by one, `offline` many at once;
  `accounting` what both make of an answer
- `run` the entrance: plan, or bring every request to a stored reply
"""

from kbtools.models.backend import ChunkBackend, ChunkRun, ModelBackend, OnlineBackend, Review, Send, Waiting
from kbtools.models.contract import Contract, Invalid, JsonContract, Repairing, TagContract
from kbtools.models.engine.budget import BudgetReached
from kbtools.models.engine.progress import Progress, ProgressSink
from kbtools.models.engine.run import Interrupted, RequestPlan, plan_requests, run_requests
from kbtools.models.kinds import Kind, ReplyFailure, Usage
from kbtools.models.options import Options, Prices
from kbtools.models.profiles import ModelsConfig, Profile, read_config
from kbtools.models.reading import Reading, TokenLogprob
from kbtools.models.reply import Answer, Reply
from kbtools.models.request import Message, Request, Sampling, Terms, chat, estimated_prompt_tokens
from kbtools.models.settled import ParsedReply, parse_replies
from kbtools.models.spec import resolve_model, with_configured_limits
from kbtools.models.store import ResponseStore, StoreDamaged, StoreError, default_path

__all__ = [
    "Answer",
    "BudgetReached",
    "ChunkBackend",
    "ChunkRun",
    "Contract",
    "Interrupted",
    "Invalid",
    "JsonContract",
    "Kind",
    "Message",
    "ModelBackend",
    "ModelsConfig",
    "OnlineBackend",
    "Options",
    "ParsedReply",
    "Prices",
    "Profile",
    "Progress",
    "ProgressSink",
    "Reading",
    "Repairing",
    "Reply",
    "ReplyFailure",
    "Request",
    "RequestPlan",
    "ResponseStore",
    "Review",
    "Sampling",
    "Send",
    "StoreDamaged",
    "StoreError",
    "TagContract",
    "Terms",
    "TokenLogprob",
    "Usage",
    "Waiting",
    "chat",
    "default_path",
    "estimated_prompt_tokens",
    "parse_replies",
    "plan_requests",
    "read_config",
    "resolve_model",
    "run_requests",
    "with_configured_limits",
]
