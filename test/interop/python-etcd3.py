"""A scenario on python3-etcd3: keys, a transaction, a lease, a watch and a lock, with a pause half
way in which a member is killed. Prints one line for each step; python-etcd3.test.ts knows them.

Its arguments are host:port of all members; the first is the one that will be killed. The library
takes one address only, but hands it to gRPC, which takes a list.
"""

import sys
import time

import etcd3
from etcd3.exceptions import ConnectionFailedError, ConnectionTimeoutError

RETRY_SECONDS = 30


def say(*words):
    print(*words, flush=True)


def retried(call):
    """What an application does while a member goes and another one takes over."""
    give_up = time.monotonic() + RETRY_SECONDS
    while True:
        try:
            return call()
        except (ConnectionFailedError, ConnectionTimeoutError):
            if time.monotonic() > give_up:
                raise
            time.sleep(0.05)


def watched(client, count, revision):
    """The first events under w/ from a revision on."""
    events, cancel = client.watch_prefix("w/", start_revision=revision)
    seen = []
    for event in events:
        kind = "delete" if isinstance(event, etcd3.events.DeleteEvent) else "put"
        seen.append(f"{kind} {event.key.decode()} {event.value.decode()}".rstrip())
        if len(seen) == count:
            break
    cancel()
    return ", ".join(seen)


def is_free(client, lock):
    """What Lock.acquire asks. Its own wait for a lock that is taken fails with Debian's tenacity."""
    free, _ = client.transaction(
        compare=[client.transactions.create(lock.key) == 0], success=[], failure=[]
    )
    return free


def main():
    addresses = sys.argv[1:]
    host, _, port = ("ipv4:" + ",".join(addresses)).rpartition(":")
    client = etcd3.client(host=host, port=int(port), timeout=10)

    client.put("a", "1")
    value, meta = client.get("a")
    say("get", value.decode(), "version", meta.version)
    first = meta.mod_revision + 1
    for compared in ("1", "1"):
        succeeded, answers = client.transaction(
            compare=[client.transactions.value("a") == compared],
            success=[client.transactions.put("a", "2")],
            failure=[client.transactions.get("a")],
        )
        found = "" if succeeded else answers[0][0][0].decode()
        say("txn", succeeded, found)
    say("replace", client.replace("a", "2", "3"), client.replace("a", "2", "4"))

    lease = client.lease(60)
    client.put("leased", "x", lease=lease)
    say("lease", lease.granted_ttl, [key.decode() for key in lease.keys])

    client.put("w/1", "one")
    client.put("w/2", "two")
    client.delete("w/1")
    say("watch", watched(client, 3, first))

    lock = client.lock("job", ttl=60)
    say("lock", lock.acquire(timeout=5), lock.is_acquired())
    other = client.lock("job", ttl=60)
    say("free", is_free(client, lock), other.is_acquired())

    say("ready")
    sys.stdin.readline()

    say("get", retried(lambda: client.get("a"))[0].decode())
    retried(lambda: client.put("w/3", "three"))
    say("put", retried(lambda: client.get("w/3"))[0].decode())
    say("watch", retried(lambda: watched(client, 4, first)))
    say("lease", retried(lease.refresh)[0].TTL, retried(lambda: client.get("leased"))[0].decode())
    say("lock", retried(lock.is_acquired), retried(lambda: is_free(client, lock)))
    say("release", retried(lock.release), retried(lambda: other.acquire(timeout=5)))
    retried(lease.revoke)
    say("revoked", retried(lambda: client.get("leased"))[0])
    say("members", len(list(retried(lambda: list(client.members)))))
    say("done")


main()
