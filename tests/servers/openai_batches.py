"""The files and batches of the test server, in memory: upload, create, poll, list, download."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Callable
from typing import Any

Complete = Callable[[str, dict[str, Any]], tuple[int, dict[str, Any]]]


class Batches:
    """Files and batches; a batch is completed when it has been looked at more than `polls` times."""

    def __init__(self, complete: Complete, polls: int) -> None:
        self.complete = complete
        self.polls = polls
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.looks: dict[str, int] = {}
        self.failing: set[str] = set()
        """Prompts whose lines end in the error file."""
        self.end_as = "completed"
        self.partial: int | None = None
        """With `end_as` expired: how many lines were done."""
        self.holding = ""
        """Requests that are carried out and never answered, such as `POST batches`."""
        self.held = threading.Event()

    def answer(self, method: str, path: str, headers: dict[str, str], raw: bytes) -> tuple[int, Any] | None:
        parts = path.removeprefix("/v1/").split("/")
        match method, parts:
            case "POST", ["files"]:
                return 200, self.upload(headers, raw)
            case "POST", ["batches"]:
                return 200, self.create(json.loads(raw))
            case "GET", ["batches"]:
                return 200, {"object": "list", "data": [*self.batches.values()], "has_more": False}
            case "GET", ["batches", batch] if batch in self.batches:
                return 200, self.look(batch)
            case "GET", ["files", file, "content"] if file in self.files:
                return 200, self.files[file]
        return None

    async def hold(self, method: str, path: str) -> None:
        """Keep the answer back, if that is what this request is for."""
        if f"{method} {path.removeprefix('/v1/').split('/')[0]}" == self.holding:
            self.held.set()
            await asyncio.sleep(3600)

    def upload(self, headers: dict[str, str], raw: bytes) -> dict[str, Any]:
        boundary = headers["content-type"].partition("boundary=")[2].strip('"').encode()
        for part in raw.split(b"--" + boundary):
            head, _, content = part.partition(b"\r\n\r\n")
            if re.search(rb'name="?file"?', head):
                return {"id": self.store(content.removesuffix(b"\r\n")), "object": "file", "purpose": "batch"}
        raise AssertionError("no file in the upload")

    def store(self, content: bytes) -> str:
        name = f"file-{len(self.files)}"
        self.files[name] = content
        return name

    def create(self, body: dict[str, Any]) -> dict[str, Any]:
        batch = f"batch_{len(self.batches)}"
        lines = len(self.files[body["input_file_id"]].splitlines())
        counts = {"total": lines, "completed": 0, "failed": 0}
        record = {**body, "id": batch, "object": "batch", "created_at": 0, "request_counts": counts}
        self.batches[batch] = {**record, "status": "validating"}
        self.looks[batch] = 0
        return self.batches[batch]

    def look(self, batch: str) -> dict[str, Any]:
        record = self.batches[batch]
        self.looks[batch] += 1
        if record["status"] in ("validating", "in_progress"):
            record["status"] = "in_progress"
            if self.looks[batch] > self.polls:
                self.finish(record)
        return record

    def finish(self, record: dict[str, Any]) -> None:
        done, failed = [], []
        lines = [json.loads(line) for line in self.files[record["input_file_id"]].splitlines()]
        for line in lines[: self.partial]:
            fails = line["body"]["messages"][-1]["content"] in self.failing
            status, body = 400, {"error": {"message": "bad line"}}
            if not fails:
                status, body = self.complete(line["url"], line["body"])
            response = {"status_code": status, "body": body}
            entry = {"id": "x", "custom_id": line["custom_id"], "response": response, "error": None}
            (failed if fails else done).append(json.dumps(entry))
        record["status"] = self.end_as
        record["output_file_id"] = self.store("\n".join(done).encode()) if done else None
        record["error_file_id"] = self.store("\n".join(failed).encode()) if failed else None
