"""Lines of batch files as servers and tools write them: each is an answer to its request, whatever it is."""

from __future__ import annotations

import json

import pytest

from kbtools.models import Kind
from kbtools.models.backends.lines import answers
from tests.servers.behaviours import completion

REPLY = completion("yes")
BROKEN = json.dumps({"custom_id": "k", "response": {"status_code": 200, "body": completion("\ud83d")}})


def line(**fields: object) -> bytes:
    return json.dumps({"custom_id": "k", **fields}).encode()


@pytest.mark.parametrize(
    ("sent", "kind"),
    [
        (line(response={"status_code": 200, "body": REPLY}, error=None), Kind.OK),
        (line(response={"status_code": "200", "body": json.dumps(REPLY)}), Kind.OK),
        (line(response={"body": REPLY}), Kind.OK),
        (line(response=REPLY), Kind.OK),
        (b"\xef\xbb\xbf" + line(response={"status_code": 200, "body": REPLY}) + b"\r", Kind.OK),
        (BROKEN.encode(), Kind.OK),
        (line(response={"status_code": 429, "body": {"error": {"message": "slower"}}}), Kind.THROTTLED),
        (line(response={"status_code": "429", "body": {"error": {"message": "slower"}}}), Kind.THROTTLED),
        (line(response={"status_code": 200, "body": {"error": {"message": "no", "code": 500}}}), Kind.SERVER),
        (line(response={"status_code": 200, "body": "half a rep"}), Kind.MALFORMED),
        (line(response={"status_code": 200, "body": []}), Kind.UNKNOWN_SHAPE),
        (line(response={"status_code": True, "body": {}}), Kind.UNKNOWN_SHAPE),
        (line(response={"status_code": 200, "body": None}, error={"code": "batch_expired"}), Kind.SERVER),
        (line(response=None, error={"code": "batch_expired", "message": "late"}), Kind.SERVER),
        (line(response="text"), Kind.SERVER),
        (line(), Kind.SERVER),
    ],
)
def test_every_line_with_a_key_is_an_answer(sent: bytes, kind: Kind):
    """Also where the envelope is missing, numbers are text, or the reply is JSON within JSON."""
    ((key, answer),) = answers([sent])
    assert (key, answer.kind) == ("k", kind)
    assert answer.raw or kind is not Kind.OK


@pytest.mark.parametrize("sent", [b"", b"\n", b"[]", b"null", b"{", b'{"custom_id": 7}', b"[" * 100_000, b"\xff\xfe{"])
def test_a_line_without_a_key_answers_nothing(sent: bytes):
    """The request that it may have been for is told as one that the batch has left out."""
    assert list(answers([sent, line(response=REPLY)])) == list(answers([line(response=REPLY)]))
