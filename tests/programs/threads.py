"""A system that starts no more threads: a server says so and ends as for a temporary fault, or does
what it can with those it has. Room for threads is taken away by the room for their stacks."""

from harness import Domain, NotStarted, Tests, authority, run
from imrp import Client

STACK = 1 << 31


def with_room_for(threads):
    return ["prlimit", f"--stack={STACK}:{STACK}", f"--as={threads * STACK + STACK // 2}"]


def started(t, domain, program, threads, top):
    """The server, or None where it ended as it should."""
    try:
        return domain.start(program, top=top, wrapper=with_room_for(threads))
    except NotStarted as ended:
        t.contains(f"{program} with room for {threads} threads", str(ended), "[threads]")
        t.equal("ends as for a temporary fault", ended.code, 75)
        return None


def receivers(t, domain):
    there = [n for n in range(8) if (server := started(t, domain, "server-receive", n,
                                                       "workers = 3\ncommands = 1"))
             and server.stop() == 0]
    t.true("a receiver needs some threads, and no more", there and 0 < there[0] < 7, there)
    t.equal("and none in between is too many", there, list(range(there[0], 8)))


def post_offices(t, ca, domain):
    """Threads that begin with the first use or watch are not there at the start."""
    said = set()
    for threads in range(40):
        office = started(t, domain, "server-post-office", threads, "workers = 2")
        if office is None:
            continue
        client = Client(t, office.address, ca, "bob")
        client.ask("FOLDERS")
        client.lines.write(b"WATCH inbox 0\n")
        client.lines.flush()
        word, _, rest = client.lines.readline().decode().strip().partition(" ")
        said.add(word)
        if word != "OK":
            t.true(f"why, with room for {threads}: {rest}", office.wait_for(" rule=threads "))
        t.equal("it stops", office.stop(), 0)
        if word == "OK":
            break
    t.equal("without a thread for it a watch waits, and begins with one", said, {"DEFER", "OK"})


def senders(t, domain):
    message = domain.message("--to", f"bob@{domain.name}")
    config = domain.write("send.toml", domain.send_settings())
    done = run(*with_room_for(0), t.program("server-send-mail"), "--config", config, stdin=message)
    t.equal(f"a sender without threads: {done.err}", done.code, 75)
    t.contains("says so", done.err, "[threads]")
    queue = domain.write("queue.toml", domain.send_settings(
        top='queue.path = "queue"'))
    for threads in range(8):
        done = run(*with_room_for(threads), t.program("server-send-mail"), "--config", queue,
                   "--run-queue", "--once")
        t.true(f"a queue with room for {threads}: {done.err}", done.code in (0, 75))
        t.equal("the reason is said", "[threads]" in done.err, done.code == 75)
    t.equal("with room enough it is done", done.code, 0)


with Tests() as tests:
    authority_of_all = authority(tests.work)
    b = Domain(tests, authority_of_all, "b.example")
    b.add_user("bob")
    receivers(tests, b)
    post_offices(tests, authority_of_all, b)
    senders(tests, b)
