"""Claims: one sender per key, and none that outlives its owner."""

import subprocess
import sys
import time

import pytest

from kbtools.errors import UsageError
from kbtools.models import Options, run_requests
from kbtools.models.engine import online
from kbtools.models.store import claims
from tests.models.test_store import reply_to


@pytest.fixture
def claim(store):
    def attempt(owner, *keys, **seen):
        with store.transaction() as connection:
            return claims.claim(connection, owner, {**dict.fromkeys(keys), **seen})

    return attempt


def test_a_key_is_granted_once(claim):
    """The second asker gets only what the first has not."""
    one, two = claims.new_owner(), claims.new_owner()
    assert claim(one, "a", "b") == {"a", "b"}
    assert claim(two, "b", "c") == {"c"}


def test_a_stored_reply_ends_its_claim(claim, store, ask):
    """Storing the reply gives the key back."""
    key = ask(1)[0].key
    claim(claims.new_owner(), key)
    store.put([reply_to(ask(1)[0])])
    assert store.select("SELECT count(*) FROM claims") == [(0,)]


def test_a_key_whose_reply_came_meanwhile_is_not_granted(claim, store, ask):
    """Between lookup and claim another process may have finished: look again."""
    key = ask(1)[0].key
    store.put([reply_to(ask(1)[0])])
    assert claim(claims.new_owner(), key) == set()
    assert claim(claims.new_owner(), **{key: 1.0}) == {key}


def test_released_keys_are_free(claim, store):
    """An owner that gives up keys or ends leaves them to others."""
    one, two = claims.new_owner(), claims.new_owner()
    claim(one, "a", "b", "c")
    with store.transaction() as connection:
        claims.release(connection, ["a"], one)
        claims.release(connection, ["b"], two)
    assert claim(two, "a", "b") == {"a"}
    with store.transaction() as connection:
        claims.release_all(connection, one)
    assert claim(two, "b", "c") == {"b", "c"}


def test_claims_of_a_dead_process_are_free(claim):
    """No lease has to run out when the owner is seen to be gone."""
    script = "from kbtools.models.store.claims import new_owner; import sys; sys.stdout.write(new_owner())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    claim(done.stdout, "a")
    assert claim(claims.new_owner(), "a") == {"a"}


def test_claims_from_elsewhere_last_until_their_lease_ends(claim, store):
    """A process on another machine cannot be seen, so its lease decides."""
    elsewhere = "other-host|1|123|abc"
    claim(elsewhere, "a")
    assert claim(claims.new_owner(), "a") == set()
    with store.transaction() as connection:
        connection.execute("UPDATE claims SET expires = 1")
    assert claim(claims.new_owner(), "a") == {"a"}


def test_leases_are_renewed(claim, store):
    """A long call keeps its claim."""
    owner = claims.new_owner()
    claim(owner, "a")
    with store.transaction() as connection:
        connection.execute("UPDATE claims SET expires = 1")
        claims.renew(connection, owner)
    assert claim(claims.new_owner(), "a") == set()


def test_what_others_are_sending_is_not_read_ahead_without_end(serve, claim, store, ask, monkeypatch):
    """A plan stays unread while so many of its requests wait for another process, and is done when that has gone."""
    monkeypatch.setattr(online, "MOST_PARKED", 40)
    _, backend = serve()
    claim("other-host|1|123|abc", *(request.key for request in ask(400)))
    taken, looks = [], []

    def planned():
        for request in ask(400):
            taken.append(request)
            yield request

    def look(progress):
        looks.append(len(taken))
        if len(looks) == 4:
            with store.transaction() as connection:
                connection.execute("DELETE FROM claims")

    assert run_requests(planned(), backend, store, Options(), look).done == 400
    assert max(looks[:4]) <= 40 + online.CHUNK


def test_a_follow_up_that_another_process_is_sending_does_not_hold_up_the_end(serve, claim, store, ask):
    """A run that an error ends waits for its own calls alone."""
    _, backend = serve()
    *first, follow_up = ask(online.CHUNK + 1)
    claim("other-host|1|123|abc", follow_up.key)

    def planned():
        yield from first
        while len(store.states(request.key for request in first)) < len(first):
            time.sleep(0.01)
        raise UsageError("the next row has no code")

    with pytest.raises(UsageError, match="the next row"):
        run_requests(planned(), backend, store, Options(max_in_flight=1024), review=lambda request, reply: follow_up)
    assert store.states([follow_up.key]) == {}


def test_what_is_under_way_is_claimed_anew_before_its_lease_ends(serve, store, ask, monkeypatch):
    """A reply that takes longer than a lease is not asked for by another process."""
    monkeypatch.setattr(claims, "RENEW_EVERY", 0.05)
    _, backend = serve(delay=1.0)
    leases = set()
    run_requests(ask(1), backend, store, Options(), lambda _: leases.update(store.select("SELECT expires FROM claims")))
    assert len(leases) > 1
