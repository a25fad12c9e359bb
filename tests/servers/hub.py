"""A Hugging Face Hub on two local ports, for unmodified clients: `python tests/servers/hub.py` prints where it listens.

The first port serves the API, the second one stored objects (another origin, as on the real Hub). Faults are scripted
with POST /_test/faults, the state and the log of requests are read under /_test/. What is stored is in `hub_repos`.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import re
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web

sys.path.insert(0, str(Path(__file__).parent))
from hub_repos import File, Refused, Repo, Store, User

PAGE = 50
PART_BYTES = 5_000_000
MULTIPART_FROM = 12_000_000
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
DATASET = "/api/datasets/{owner}/{name}"
FILES = "/datasets/{owner}/{name}"


class Hub:
    """The handlers of both ports around one store, the scripted faults and the log."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.log: list[dict[str, Any]] = []
        self.faults: list[dict[str, Any]] = []
        self.endpoint = self.storage = ""

    def reset(self) -> None:
        """A new Hub: no users, no repositories, no faults, an empty log."""
        self.store.__init__()  # type: ignore[misc]
        self.log.clear()
        self.faults.clear()

    # ---- who asks, and for what ------------------------------------------------------------------------------------

    def user(self, request: web.Request) -> User | None:
        """The owner of the token of a request; an unknown token is refused, and repeated in the message."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if not scheme:
            return None
        if token not in self.store.users:
            raise Refused(401, f"Invalid credentials in Authorization header: {token}")
        return self.store.users[token]

    def repo(self, request: web.Request) -> Repo:
        """The repository of a request's path."""
        return self.store.repo("{owner}/{name}".format(**request.match_info), self.user(request))

    def writable(self, request: web.Request) -> tuple[Repo, User]:
        """The repository, if the user may change it."""
        repo = self.repo(request)
        return repo, self.store.check_write(repo, self.user(request))

    # ---- API -------------------------------------------------------------------------------------------------------

    async def whoami(self, request: web.Request) -> web.Response:
        user = self.user(request)
        if user is None:
            raise Refused(401, "Invalid credentials in Authorization header")
        return web.json_response(user.whoami())

    async def create(self, request: web.Request) -> web.Response:
        body = await request.json()
        private = body.get("visibility", "public") == "private"
        repo = self.store.create(self.user(request), body["name"], body.get("organization"), private)
        return web.json_response({"url": f"{self.endpoint}/datasets/{repo.id}", "id": repo.id, "name": repo.id})

    async def info(self, request: web.Request) -> web.Response:
        repo = self.repo(request)
        commit = repo.commit(request.match_info.get("rev", "main"))
        return web.json_response(
            {
                "id": repo.id,
                "author": repo.owner,
                "sha": commit.sha,
                "private": repo.private,
                "gated": "manual" if repo.gated else False,
                "cardData": self._card(commit.tree),
                "siblings": [{"rfilename": path} for path in commit.tree],
            }
        )

    def _card(self, tree: dict[str, File]) -> Any:
        readme = self.store.content(tree["README.md"]).decode() if "README.md" in tree else ""
        front = re.match(r"---\n(.*?)\n---", readme, re.DOTALL)
        return yaml.safe_load(front[1]) if front else None

    async def auth_check(self, request: web.Request) -> web.Response:
        repo = self.repo(request)
        self.store.check_files(repo, self.user(request))
        if request.path.endswith("/write"):
            self.store.check_write(repo, self.user(request))
        return web.json_response({})

    async def tree(self, request: web.Request) -> web.Response:
        commit = self.repo(request).commit(request.match_info["rev"])
        folder = request.match_info.get("path", "").strip("/")
        found = list_tree(commit.tree, folder, recursive=request.query.get("recursive", "").lower() == "true")
        if folder and not found:
            raise Refused(404, f"{folder} does not exist on {commit.sha}", "EntryNotFound")
        start = int(request.query.get("cursor", 0))
        headers = {}
        if start + PAGE < len(found):
            following = request.url.update_query(cursor=str(start + PAGE))
            headers["Link"] = f'<{self.endpoint}{following.raw_path_qs}>; rel="next"'
        return web.json_response(found[start : start + PAGE], headers=headers)

    async def paths_info(self, request: web.Request) -> web.Response:
        commit = self.repo(request).commit(request.match_info["rev"])
        form = await request.post()
        everything = {entry["path"]: entry for entry in list_tree(commit.tree, "", recursive=True)}
        return web.json_response([everything[p] for p in form.getall("paths") if p in everything])

    async def refs(self, request: web.Request) -> web.Response:
        repo = self.repo(request)
        named = [{"name": n, "ref": f"refs/heads/{n}", "targetCommit": s} for n, s in repo.refs.items() if "/" not in n]
        return web.json_response({"branches": named, "converts": [], "tags": [], "pullRequests": []})

    async def commits(self, request: web.Request) -> web.Response:
        history = self.repo(request).history(request.match_info["rev"])
        date = "2030-01-01T00:00:00.000Z"
        keys = {"authors": [], "date": date, "message": ""}
        return web.json_response([{"id": c.sha, "title": c.title, **keys} for c in history])

    async def validate_yaml(self, request: web.Request) -> web.Response:
        content = (await request.json())["content"]
        try:
            front = re.match(r"---\n(.*?)\n---", content, re.DOTALL)
            yaml.safe_load(front[1] if front else "")
        except yaml.YAMLError as error:
            return web.json_response({"errors": [{"message": str(error)}], "warnings": []}, status=400)
        return web.json_response({"errors": [], "warnings": []})

    async def preupload(self, request: web.Request) -> web.Response:
        repo = self.repo(request)
        if "create_pr" not in request.query:
            self.store.check_write(repo, self.user(request))
        tree = repo.commit(request.match_info["rev"]).tree
        files = (await request.json())["files"]
        return web.json_response({"files": [self._upload_mode(file, tree) for file in files]})

    def _upload_mode(self, file: dict[str, Any], tree: dict[str, File]) -> dict[str, Any]:
        lfs = file["path"].endswith(".parquet") or file["size"] > 10_000_000
        known = tree.get(file["path"])
        mode = {"path": file["path"], "uploadMode": "lfs" if lfs else "regular", "shouldIgnore": False}
        return {**mode, "oid": known.etag} if known else mode

    async def commit(self, request: web.Request) -> web.Response:
        repo = self.repo(request)
        as_pull = request.query.get("create_pr") == "1"
        user = self.user(request)
        rev = request.match_info["rev"]
        if user is None or not (as_pull or rev.startswith("refs/pr/")):
            user = self.store.check_write(repo, user)
        lines = [json.loads(line) for line in (await request.text()).splitlines() if line]
        made = self.store.apply(repo, user, rev, lines, as_pull)
        url = f"{self.endpoint}/datasets/{repo.id}"
        answer = {"success": True, "commitOid": made.sha, "commitUrl": f"{url}/commit/{made.sha}"}
        if as_pull:
            answer["pullRequestUrl"] = f"{url}/discussions/{len(repo.pulls)}"
        return web.json_response(answer)

    async def xet_token(self, request: web.Request) -> web.Response:
        """Where the Xet client stores or finds its chunks: a folder of this machine, once a test has named one."""
        _ = self.repo(request) if "/xet-read-token/" in request.path else self.writable(request)
        if not self.store.xet_folder:
            raise Refused(404, "this Hub has no Xet storage")
        answer = {"casUrl": f"local://{self.store.xet_folder}", "exp": 4_000_000_000, "accessToken": "xet"}
        names = {"X-Xet-Cas-Url": "casUrl", "X-Xet-Access-Token": "accessToken", "X-Xet-Token-Expiration": "exp"}
        return web.json_response(answer, headers={header: str(answer[key]) for header, key in names.items()})

    async def branch(self, request: web.Request) -> web.Response:
        repo, _ = self.writable(request)
        name = request.match_info["branch"]
        if name in repo.refs:
            raise Refused(409, "Reference already exists")
        body = await request.json() if request.can_read_body else {}
        repo.refs[name] = repo.commit(body.get("startingPoint", "main")).sha
        return web.json_response({})

    # ---- pull requests ---------------------------------------------------------------------------------------------

    async def discuss(self, request: web.Request) -> web.Response:
        repo, user = self.repo(request), self.user(request)
        if user is None:
            raise Refused(401, "Invalid username or password.")
        body = await request.json()
        pull, _ = self.store.open_pull(repo, user, body["title"])
        return web.json_response({"num": pull.num})

    async def discussions(self, request: web.Request) -> web.Response:
        repo = self.repo(request)
        found = [] if request.query.get("p", "0") != "0" else [self._pull(repo, pull) for pull in repo.pulls]
        return web.json_response({"discussions": found, "count": len(repo.pulls), "start": 0})

    async def discussion(self, request: web.Request) -> web.Response:
        repo = self.repo(request)
        pull = repo.pulls[int(request.match_info["num"]) - 1]
        return web.json_response({**self._pull(repo, pull), "events": []})

    def _pull(self, repo: Repo, pull: Any) -> dict[str, Any]:
        return {
            "num": pull.num,
            "title": pull.title,
            "author": {"name": pull.author},
            "status": pull.status,
            "isPullRequest": True,
            "createdAt": "2030-01-01T00:00:00.000Z",
            "repo": {"name": repo.id, "type": "dataset"},
            "changes": {"base": "refs/heads/main"},
            "filesWithConflicts": [],
        }

    async def change_discussion(self, request: web.Request) -> web.Response:
        repo = self.repo(request)
        num = int(request.match_info["num"])
        if request.path.endswith("/merge"):
            self.store.check_write(repo, self.user(request))
            self.store.merge(repo, num)
            return web.json_response({})
        repo.pulls[num - 1].status = (await request.json())["status"]
        keys = {"id": "1", "type": "status-change", "createdAt": "2030-01-01T00:00:00.000Z"}
        data = {"status": repo.pulls[num - 1].status}
        return web.json_response({"newStatus": {**keys, "author": {"name": "x"}, "data": data}})

    # ---- large files -----------------------------------------------------------------------------------------------

    async def lfs_batch(self, request: web.Request) -> web.Response:
        repo = self.repo(request)
        if self.user(request) is None:
            raise Refused(401, "Invalid username or password.")
        objects = [self._actions(repo, entry) for entry in (await request.json())["objects"]]
        return web.json_response({"transfer": "basic", "objects": objects})

    def _actions(self, repo: Repo, entry: dict[str, Any]) -> dict[str, Any]:
        oid, size = entry["oid"], entry["size"]
        if oid in self.store.objects:
            return {"oid": oid, "size": size}
        upload: dict[str, Any] = {"href": f"{self.storage}/objects/{oid}"}
        if size >= MULTIPART_FROM:
            count = -(-size // PART_BYTES)
            parts = {f"{n:05d}": f"{self.storage}/objects/{oid}/parts/{n}" for n in range(1, count + 1)}
            complete = f"{self.endpoint}/api/complete-multipart/{oid}"
            upload = {"href": complete, "header": {"chunk_size": str(PART_BYTES), **parts}}
        verify = {"href": f"{self.endpoint}/datasets/{repo.id}.git/info/lfs/objects/verify"}
        return {"oid": oid, "size": size, "actions": {"upload": upload, "verify": verify}}

    async def complete(self, request: web.Request) -> web.Response:
        oid, body = request.match_info["oid"], await request.json()
        parts = [self.store.parts.pop((oid, part["partNumber"])) for part in body["parts"]]
        self._keep(oid, b"".join(parts))
        return web.json_response({})

    async def verify(self, request: web.Request) -> web.Response:
        body = await request.json()
        if len(self.store.objects.get(body["oid"], b"")) != body["size"]:
            raise Refused(404, "the object is not there, or has another size")
        return web.json_response({})

    async def put_object(self, request: web.Request) -> web.Response:
        self._keep(request.match_info["oid"], await request.read())
        return web.Response()

    async def put_part(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.store.parts[request.match_info["oid"], int(request.match_info["part"])] = body
        return web.Response(headers={"ETag": f'"{hashlib.md5(body).hexdigest()}"'})

    def _keep(self, oid: str, content: bytes) -> None:
        if hashlib.sha256(content).hexdigest() != oid:
            raise Refused(400, f"the content is not that of {oid}")
        self.store.objects[oid] = content

    async def get_object(self, request: web.Request) -> web.StreamResponse:
        return ranged(request, self.store.objects[request.match_info["oid"]], {})

    async def resolve(self, request: web.Request) -> web.StreamResponse:
        repo = self.repo(request)
        self.store.check_files(repo, self.user(request))
        commit = repo.commit(request.match_info["rev"])
        path = request.match_info["path"]
        file = commit.tree.get(path)
        if file is None:
            headers = {"X-Repo-Commit": commit.sha}
            raise_with = Refused(404, f"Entry not found: {path}", "EntryNotFound")
            raise_with.headers = headers  # type: ignore[attr-defined]
            raise raise_with
        headers = {"X-Repo-Commit": commit.sha, "ETag": f'"{file.etag}"'}
        if not file.sha256:
            return ranged(request, file.content or b"", headers)
        linked = {"X-Linked-Etag": f'"{file.sha256}"', "X-Linked-Size": str(file.size)}
        if file.sha256 in self.store.xet_hashes:
            route = f"{self.endpoint}/api/datasets/{repo.id}/xet-read-token/{commit.sha}"
            linked |= {"X-Xet-Hash": self.store.xet_hashes[file.sha256], "X-Xet-Refresh-Route": route}
        place = {"Location": f"{self.storage}/objects/{file.sha256}"}
        return web.Response(status=302, headers={**headers, **linked, **place})

    # ---- for tests -------------------------------------------------------------------------------------------------

    async def test(self, request: web.Request) -> web.Response:
        what = request.match_info["what"]
        if request.method == "GET":
            return web.json_response({"state": self.store.describe(), "log": self.log}[what])
        body = await request.json()
        if what == "reset":
            self.reset()
        elif what == "users":
            self.store.users = {token: User(**fields) for token, fields in body.items()}
        elif what == "faults":
            self.faults[:] = body
        elif what == "gate":
            self.store.repos[body["repo"]].gated = body["gated"]
        elif what == "forget":
            self.store.objects.clear()  # so that the next push has to send everything
        elif what == "xet":
            self.store.xet_folder = body["folder"]
            self.store.xet_hashes = body.get("hashes", {})
        elif what == "drop":
            del self.store.repos[body["repo"]]
        return web.json_response({})


# ---- answers --------------------------------------------------------------------------------------------------------


def list_tree(tree: dict[str, File], folder: str, *, recursive: bool) -> list[dict[str, Any]]:
    """Files and folders below a folder, as the tree API lists them."""
    prefix = f"{folder}/" if folder else ""
    entries: dict[str, dict[str, Any]] = {}
    for path, file in sorted(tree.items()):
        if not path.startswith(prefix):
            continue
        parts = path[len(prefix) :].split("/")
        for depth in range(1, len(parts)):
            name = prefix + "/".join(parts[:depth])
            if recursive or depth == 1:
                entries.setdefault(name, {"type": "directory", "path": name, "oid": "0" * 40, "size": 0})
        if recursive or len(parts) == 1:
            entries[path] = {"type": "file", "path": path, "oid": file.oid, "size": file.size}
            if file.sha256:
                entries[path]["lfs"] = {"oid": file.sha256, "size": file.size, "pointerSize": 130}
    return list(entries.values())


def ranged(request: web.Request, content: bytes, headers: dict[str, str]) -> web.Response:
    """The content, or the part of it that was asked for."""
    asked = request.http_range
    if asked.start is None and asked.stop is None:
        return web.Response(body=content, headers=headers)
    part = content[asked]
    start = len(content) + asked.start if asked.start is not None and asked.start < 0 else asked.start or 0
    place = f"bytes {start}-{start + len(part) - 1}/{len(content)}"
    return web.Response(status=206, body=part, headers={**headers, "Content-Range": place})


def refusal(request: web.Request, error: Refused) -> web.Response:
    """An error as the Hub words it: in headers for the client, in JSON for people."""
    headers = {"X-Error-Message": error.message, "X-Request-Id": "test", **getattr(error, "headers", {})}
    if error.code:
        headers["X-Error-Code"] = error.code
    return web.json_response({"error": error.message}, status=error.status, headers=headers)


@web.middleware
async def faulty(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Log every request, let scripted faults happen, and turn refusals into answers."""
    hub: Hub = request.app["hub"]
    if request.path.startswith("/_test/"):
        return await handler(request)
    entry = {"method": request.method, "path": request.path, "size": request.content_length or 0, "status": 0}
    hub.log.append(entry)
    fault = take_fault(hub.faults, request)
    try:
        response = await misbehave(fault, request, handler) if fault else await handler(request)
    except Refused as error:
        response = refusal(request, error)
    entry["status"] = response.status
    return response


def take_fault(faults: list[dict[str, Any]], request: web.Request) -> dict[str, Any] | None:
    """The first fault whose pattern fits; it goes once it has happened `times` times, after `skip` requests."""
    for fault in faults:
        if fault.get("method", request.method) != request.method or not re.search(fault["path"], request.path):
            continue
        if fault.get("skip", 0) > 0:
            fault["skip"] -= 1
            return None
        fault["times"] = fault.get("times", 1) - 1
        if fault["times"] <= 0:
            faults.remove(fault)
        return fault
    return None


async def misbehave(fault: dict[str, Any], request: web.Request, handler: Handler) -> web.StreamResponse:
    """status: answer with an error; reset: hang up midway; lost: done, but nobody hears; slow; spoil."""
    kind = fault["do"]
    if kind == "status":
        await request.read()
        echo = request.headers.get("Authorization", "")
        raise Refused(fault["status"], f"scripted fault {fault['status']} {echo}")
    if kind == "slow":
        await asyncio.sleep(fault["seconds"])
        return await handler(request)
    if kind == "spoil":  # a commit that is answered as if it had landed, and from which a file is then missing
        answer = await handler(request)
        tree = next(iter(request.app["hub"].store.repos.values())).commit("main").tree
        del tree[next(path for path in tree if path.endswith(".parquet"))]
        return answer
    if kind == "reset":
        await request.content.read(65_536)
    elif kind == "lost":
        await handler(request)
    if request.transport is not None:
        request.transport.abort()
    raise ConnectionResetError("scripted reset")


def routes(hub: Hub) -> tuple[list[web.RouteDef], list[web.RouteDef]]:
    """Routes of the API and of the storage."""
    discussion = f"{DATASET}/discussions/{{num:\\d+}}"
    api = [
        web.get("/api/whoami-v2", hub.whoami),
        web.post("/api/repos/create", hub.create),
        web.post("/api/validate-yaml", hub.validate_yaml),
        web.post("/api/complete-multipart/{oid}", hub.complete),
        web.get(DATASET, hub.info),
        web.get(DATASET + "/revision/{rev}", hub.info),
        web.get(DATASET + "/auth-check", hub.auth_check),
        web.get(DATASET + "/auth-check/write", hub.auth_check),
        web.get(DATASET + "/tree/{rev}", hub.tree),
        web.get(DATASET + "/tree/{rev}/{path:.*}", hub.tree),
        web.post(DATASET + "/paths-info/{rev}", hub.paths_info),
        web.get(DATASET + "/refs", hub.refs),
        web.get(DATASET + "/commits/{rev}", hub.commits),
        web.post(DATASET + "/preupload/{rev}", hub.preupload),
        web.post(DATASET + "/commit/{rev}", hub.commit),
        web.get(DATASET + "/xet-write-token/{rev}", hub.xet_token),
        web.get(DATASET + "/xet-read-token/{rev}", hub.xet_token),
        web.post(DATASET + "/branch/{branch}", hub.branch),
        web.get(DATASET + "/discussions", hub.discussions),
        web.post(DATASET + "/discussions", hub.discuss),
        web.get(discussion, hub.discussion),
        web.post(discussion + "/{change:merge|status}", hub.change_discussion),
        web.post(FILES + ".git/info/lfs/objects/batch", hub.lfs_batch),
        web.post(FILES + ".git/info/lfs/objects/verify", hub.verify),
        web.get(FILES + "/resolve/{rev}/{path:.*}", hub.resolve),
        web.route("*", "/_test/{what}", hub.test),
    ]
    storage = [
        web.put("/objects/{oid}", hub.put_object),
        web.put("/objects/{oid}/parts/{part}", hub.put_part),
        web.get("/objects/{oid}", hub.get_object),
    ]
    return api, storage


async def serve(hub: Hub, port: int = 0) -> None:
    """Listen on both ports and say where, as one line of JSON; until the process is ended."""
    urls = []
    for position, table in enumerate(routes(hub)):
        app = web.Application(middlewares=[faulty], client_max_size=2**31)
        app["hub"] = hub
        app.add_routes(table)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port if position == 0 else 0)
        await site.start()
        address = site._server.sockets[0].getsockname()  # type: ignore[union-attr]
        urls.append(f"http://127.0.0.1:{address[1]}")
    hub.endpoint, hub.storage = urls
    print(json.dumps({"endpoint": urls[0], "storage": urls[1]}), flush=True)  # noqa: T201  # how a parent learns it
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    asyncio.run(serve(Hub(Store()), parser.parse_args().port))
