"""The behaviours of servers that the replay goes through, each with what has to come of it.

`judged` is the kind of failure of a judge's row, or `ok`; `calls` how many requests may be made for one row. A kind in
capitals stops the run.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from tests.servers.behaviours import (
    GOOD,
    Sent,
    completion,
    error,
    gzipped,
    refusing,
    sent,
    surrogate,
)

TRIES = 2
"""Attempts that the replay allows."""
PARTS = [{"type": "text", "text": GOOD[:9]}, {"type": "text", "text": GOOD[9:]}]
CALL = [{"id": "1", "type": "function", "function": {"name": "f", "arguments": GOOD}}]
HARMONY = "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>"
ERROR_IN_CHOICE = completion("part", "error")
ERROR_IN_CHOICE["choices"][0]["error"] = {"message": "the upstream died", "code": 502}
NO_FINISH = completion(GOOD)
del NO_FINISH["choices"][0]["finish_reason"]
NO_USAGE = completion(GOOD)
del NO_USAGE["usage"]
SECOND_CHOICE = completion(GOOD)
SECOND_CHOICE["choices"].append({"index": 1, "message": {"content": "{}"}, "finish_reason": "stop"})
SECOND = {"message": {"content": "{}"}, "finish_reason": "stop"}
LOGPROBS = completion(GOOD)
LOGPROBS["choices"][0]["logprobs"] = {"content": [{"token": 5, "logprob": "x", "top_logprobs": 7}]}
RESPONSE = {"id": "r", "status": "completed", "output": [
    {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
    {"type": "message", "content": [{"type": "output_text", "text": GOOD}]},
]}  # fmt: skip


class Case(NamedTuple):
    """One behaviour and its outcome for a row of a judge."""

    sent: Sent
    judged: str
    calls: int = 1


def good(payload: object) -> Case:
    """A reply that is used after one call."""
    return Case(sent(payload), "ok")


def once(payload: object, kind: str) -> Case:
    """A reply that is kept, and failed after one call."""
    return Case(sent(payload), kind)


def mended(payload: object) -> Case:
    """A reply that does not fit, and for which one repair is asked."""
    return Case(sent(payload), "invalid", calls=2)


def tried(case: Sent, kind: str) -> Case:
    """A fault that is tried again until the attempts are used up."""
    return Case(case, kind, calls=TRIES)


def passing(payload: object, status: int) -> Case:
    """A fault of the first call alone."""
    return Case(Sent(sent(payload).body, status, then_good=True), "ok", calls=2)


def native(word: str) -> dict[str, Any]:
    """A completion whose ending is said in the words of the model's maker alone."""
    reply = completion(GOOD, None)
    reply["choices"][0]["native_finish_reason"] = word
    return reply


CASES: dict[str, Case] = {
    # ---- what is all right
    "plain": good(completion(GOOD)),
    "fenced": good(completion(f"```json\n{GOOD}\n```")),
    "status 202": Case(sent(completion(GOOD), 202), "ok"),
    "role missing": good({"choices": [{"message": {"content": GOOD}}]}),
    "two choices": good(SECOND_CHOICE),
    "finish null": good(completion(GOOD, None)),
    "finish missing": good(NO_FINISH),
    "finish missing, its maker's there": once(native("MAX_TOKENS"), "truncated"),
    "choices in another order": good({"choices": [{**SECOND, "index": 1}, completion(GOOD)["choices"][0]]}),
    "a number of many digits": good(json.dumps(completion(GOOD)).replace(": 1,", f": {'9' * 5000},").encode()),
    "finish empty": good(completion(GOOD, "")),
    "finish eos": good(completion(GOOD, "eos_token")),
    "finish end_turn": good(completion(GOOD, "end_turn")),
    "finish STOP": good(completion(GOOD, "STOP")),
    "finish a number": good(completion(GOOD, 0)),
    "error null": good({**completion(GOOD), "error": None}),
    "detail beside choices": good({**completion(GOOD), "detail": "cached"}),
    "refusal empty": good(completion(GOOD, refusal="")),
    "tool_calls empty": good(completion(GOOD, tool_calls=[])),
    "tool_calls null": good(completion(GOOD, tool_calls=None, function_call=None)),
    "without content type": Case(sent(completion(GOOD), headers={}), "ok"),
    "as text": Case(sent(completion(GOOD), headers={"Content-Type": "text/plain"}), "ok"),
    "gzip": Case(gzipped(completion(GOOD)), "ok"),
    "blanks in front": good(b" \n" * 300 + json.dumps(completion(GOOD)).encode()),
    "byte order mark": good(b"\xef\xbb\xbf" + json.dumps(completion(GOOD)).encode()),
    "utf-16": good(json.dumps(completion(GOOD)).encode("utf-16")),
    "latin-1 as it says": Case(
        sent(
            json.dumps(completion(GOOD.replace("copy", "caf\u00e9")), ensure_ascii=False).encode("latin-1"),
            headers={"Content-Type": "application/json; charset=iso-8859-1"},
        ),
        "ok",
    ),
    "null character": good(completion(GOOD.replace("copy", "\\u0000"))),
    "large": good(completion(GOOD.replace("copy", "x" * 2_000_000))),
    "responses object": good(RESPONSE),
    # ---- bookkeeping that is not as documented
    "usage missing": good(NO_USAGE),
    "usage text": good(completion(GOOD, usage="n/a")),
    "usage list": good(completion(GOOD, usage=[])),
    "usage of nulls": good(completion(GOOD, usage={"prompt_tokens": None, "completion_tokens": None})),
    "usage of texts": good(completion(GOOD, usage={"prompt_tokens": "5", "completion_tokens": "5"})),
    "usage of floats": good(completion(GOOD, usage={"prompt_tokens": 5.0, "completion_tokens": 2.5})),
    "usage of objects": good(completion(GOOD, usage={"prompt_tokens": {"text": 5}, "completion_tokens": True})),
    "usage negative": good(completion(GOOD, usage={"prompt_tokens": -1, "completion_tokens": -1})),
    "usage huge": good(completion(GOOD, usage={"prompt_tokens": 10**30, "completion_tokens": 10**19})),
    "usage NaN": good(json.dumps(completion(GOOD)).replace(": 5", ": NaN").encode()),
    "ids of other types": good({**completion(GOOD), "id": 7, "created": "now", "model": None, "object": []}),
    "logprobs odd": good(LOGPROBS),
    "logprobs text": good({**LOGPROBS, "choices": [{**LOGPROBS["choices"][0], "logprobs": "none"}]}),
    # ---- parts and reasoning
    "content in parts": good(completion(PARTS)),
    "content one part": good(completion(PARTS[0] | {"text": GOOD})),
    "content part null": good(completion([{"type": "text", "text": None}, *PARTS])),
    "content of texts": good(completion([GOOD[:9], GOOD[9:]])),
    "thinking part": good(completion([{"type": "thinking", "thinking": "hm"}, *PARTS])),
    "reasoning": good(completion(GOOD, reasoning="hm")),
    "reasoning_content": good(completion(GOOD, reasoning_content="hm")),
    "reasoning in parts": good(completion(GOOD, reasoning=[{"type": "text", "text": "hm"}])),
    "reasoning_details": good(completion(GOOD, reasoning_details=[{"type": "reasoning.text", "text": "hm"}])),
    "thinking_blocks": good(completion(GOOD, thinking_blocks=[{"type": "thinking", "thinking": "hm"}])),
    "reasoning encrypted": good(completion(GOOD, reasoning_details=[{"type": "reasoning.encrypted", "data": "x"}])),
    "think": good(completion(f'<think>maybe {{"difficulty": "high"}}</think>\n{GOOD}')),
    "think, closing alone": good(completion(f'maybe {{"difficulty": "high"}}\n</think>\n\n{GOOD}')),
    "thinking": good(completion(f"<Thinking>hm</Thinking>{GOOD}")),
    "THINK in brackets": good(completion(f"[THINK]hm[/THINK]{GOOD}")),
    "thought tokens": good(completion(f"<|begin_of_thought|>hm<|end_of_thought|>{GOOD}")),
    "response in a frame": good(
        completion(f"<|START_THINKING|>hm<|END_THINKING|><|START_RESPONSE|>{GOOD}<|END_RESPONSE|>")
    ),
    "harmony": good(completion(HARMONY + GOOD)),
    "marks inside of the JSON": good(completion(GOOD.replace("a copy", "</think> <think>"))),
    "think, never closed": once(completion(f"<think>maybe {GOOD}"), "invalid"),
    "think, never closed, no JSON": mended(completion("<think>maybe low")),
    "prose, then thoughts": good(completion(f"Well.\n<think>hm {{}}</think>\n{GOOD}")),
    "reasoning alone": once(completion(None, reasoning=f"hm {GOOD}"), "invalid"),
    "reasoning and blanks": once(completion(" \n", reasoning_content="hm"), "invalid"),
    "reasoning a number": once(completion(GOOD, reasoning=5), "unknown-shape"),
    # ---- endings
    "length": once(completion("", "length", reasoning="long"), "truncated"),
    "length, content null": once(completion(None, "length"), "truncated"),
    "length, though it fits": once(completion(GOOD, "length"), "truncated"),
    "max_tokens": once(completion(GOOD, "max_tokens"), "truncated"),
    "repetition": once(completion(GOOD, "repetition"), "truncated"),
    "time_limit": once(completion(GOOD, "time_limit"), "truncated"),
    "an unknown ending": once(completion(GOOD, "moon_phase"), "incomplete"),
    "content_filter": once(completion("", "content_filter"), "content-filter"),
    "tool call": once(completion(None, "tool_calls", tool_calls=CALL), "tool-call"),
    "tool call and text": once(completion(GOOD, "stop", tool_calls=CALL), "tool-call"),
    "tool call without one": once(completion(GOOD, "tool_calls"), "tool-call"),
    "function call": once(completion(None, "function_call", function_call={"name": "f"}), "tool-call"),
    "refusal": once(completion(None, refusal="I cannot"), "refused"),
    "refusal in parts": once(completion([{"type": "refusal", "refusal": "I cannot"}]), "refused"),
    "error": tried(sent(completion("part", "error")), "server"),
    "abort": tried(sent(completion("part", "abort")), "server"),
    "error in the choice": tried(sent(ERROR_IN_CHOICE), "server"),
    # ---- texts that no column can hold
    "half a pair in the content": Case(sent(surrogate(GOOD.replace("copy", "XX"))), "invalid"),
    "half a pair in the JSON": once(completion(GOOD.replace("copy", "\\ud83d")), "invalid"),
    "half a pair in the reasoning": Case(
        sent(json.dumps(completion(GOOD, reasoning="XX")).replace("XX", "\\udc00").encode()), "invalid"
    ),
    "half a pair in the refusal": Case(
        sent(json.dumps(completion(None, refusal="XX")).replace("XX", "\\ud83d").encode()), "refused"
    ),
    "bytes beside UTF-8": once(json.dumps(completion(GOOD)).replace("copy", "c\xe4").encode("latin-1"), "invalid"),
    # ---- JSON of other shapes
    "choices empty": once({**completion(GOOD), "choices": []}, "unknown-shape"),
    "choices null": once({**completion(GOOD), "choices": None}, "unknown-shape"),
    "choices of nulls": once({**completion(GOOD), "choices": [None]}, "unknown-shape"),
    "no message": once({"choices": [{"text": GOOD, "finish_reason": "stop"}]}, "unknown-shape"),
    "ollama": once({"message": {"content": GOOD}, "done": True}, "unknown-shape"),
    "a list": once([1], "unknown-shape"),
    "null": once(None, "unknown-shape"),
    "an image": once(completion([{"type": "image_url", "image_url": {"url": "x"}}]), "unknown-shape"),
    "content a number": once(completion(5), "unknown-shape"),
    "stream": Case(
        sent(b'data: {"choices": [{"delta": {"content": "x"}}]}\n\ndata: [DONE]\n\n', headers={}), "unknown-shape"
    ),
    "stream behind comments, never ended": Case(
        sent(b': one moment\n\ndata: {"choices": [{"delta": {"content": "x"}}]}', headers={}), "unknown-shape"
    ),
    "an object in each line": once(b'{"response": "x", "done": false}\n{"response": "y"', "unknown-shape"),
    # ---- texts that do not fit
    "empty": mended(completion("")),
    "content null": mended(completion(None)),
    "prose in front": good(completion(f"Sure: {GOOD}")),
    "a draft in front": good(completion(f"Maybe {GOOD.replace(chr(58), chr(59))} or {GOOD}, but:\n{GOOD}\n")),
    "prose, then a fence": good(completion(f"Here it is.\n```json\n{GOOD}\n```")),
    "prose, then broken JSON": mended(completion(f"Sure: {GOOD[:-1]}")),
    "broken JSON around JSON": mended(completion(f'{{"x": {GOOD}')),
    "prose behind": good(completion(f"{GOOD}\nDone!")),
    "prose on both sides": good(completion(f"Verdict:\n```json\n{GOOD}\n```\nHope it helps! [1]")),
    "a note behind": good(completion(f'{GOOD}\n\n{{"confidence": 0.9}}')),
    "marks within, prose behind": good(completion(f"{GOOD.replace('a copy', '</think> <think>')}\nDone!")),
    "think, then prose on both sides": good(completion(f"<think>{{}}</think>\nSo:\n{GOOD}\nThat is all.")),
    "harmony, prose behind": good(completion(f"{HARMONY}{GOOD}\nThat is all.")),
    "think behind": good(completion(f"{GOOD}\n<think>or {{}}")),
    "a key too many": mended(completion(GOOD.replace("{", '{"x": 1, '))),
    "another case": mended(completion(GOOD.replace("low", "Low"))),
    "a key twice": mended(completion(GOOD.replace("{", '{"difficulty": "high", '))),
    "JSON in a text": mended(completion(json.dumps(GOOD))),
    "a list of verdicts": mended(completion(f"[{GOOD}]")),
    # ---- broken transport
    "no body": tried(sent(b""), "malformed"),
    "a page": tried(sent(b"<html>gateway</html>", headers={"Content-Type": "text/html"}), "malformed"),
    "half the JSON": tried(sent(json.dumps(completion(GOOD)).encode()[:60]), "malformed"),
    "nested too deeply": tried(sent(b"[" * 100_000), "malformed"),
    "closed in the middle": tried(sent(completion(GOOD), drop="middle"), "connection"),
    "closed behind": Case(sent(completion(GOOD), drop="after"), "ok"),
    "gzip that is none": tried(sent(completion(GOOD), headers={"Content-Encoding": "gzip"}), "connection"),
    "429 in a 200": passing({"error": {"message": "overloaded", "code": 429}}, 200),
    "502 in a 200": tried(error(200, "bad gateway", code="502"), "server"),
    "an error text in a 200": tried(sent({"error": "boom"}), "server"),
    "429 once": passing({"error": {"message": "slow down"}}, 429),
    "500 once": passing({"error": {"message": "oops"}}, 500),
    "524 with a page": passing(b"<html>timeout</html>", 524),
    "529 once": passing({"error": {"type": "overloaded_error"}}, 529),
    "409 once": passing({"error": {"message": "conflict"}}, 409),
    # ---- faults of a row
    "400": Case(error(400, "this prompt is not for us"), "bad-request"),
    "413": Case(sent(b"too large", 413), "bad-request"),
    "422": Case(sent({"detail": [{"loc": ["body", "x"], "msg": "field required"}]}, 422), "bad-request"),
    "400 for the length": Case(
        error(400, "This model's maximum context length is 2048 tokens; max_tokens is not supported"), "context-length"
    ),
    "404": Case(error(404, "The model does not exist", code="model_not_found"), "not-found"),
    # ---- faults of the endpoint
    "401": Case(error(401, "bad key"), "AUTH"),
    "401 in a 200": Case(error(200, "bad key", code=401), "AUTH"),
    "402": Case(error(402, "Insufficient credits"), "QUOTA"),
    "402 in a 200": Case(error(200, "no money", code=402), "QUOTA"),
    "429 for the quota": Case(error(429, "You exceeded your quota", code="insufficient_quota"), "QUOTA"),
    "403 for the credits": Case(error(403, "Insufficient credits for this key"), "QUOTA"),
    "307": Case(sent(b"", 307, headers={"Location": "/r/v1/chat/completions"}), "REDIRECTED"),
    "301": Case(sent(b"", 301, headers={"Location": "http://127.0.0.1:1/other"}), "REDIRECTED"),
    "no response_format": Case(
        refusing("response_format", "response_format is not supported by this model", param="response_format"),
        "PARAMETER",
    ),
    "no max_tokens": Case(
        refusing("max_tokens", "Unsupported parameter: 'max_tokens'", code="unsupported_parameter"), "PARAMETER"
    ),
    "no temperature": Case(
        refusing("temperature", "Unsupported value: 'temperature' does not support 0", param="temperature"), "PARAMETER"
    ),
}
