"""The interpreter ends cleanly with servers running, clients connected and threads waiting, and a
forked child may end beside them."""

import os
import subprocess
import sys
import textwrap

import pytest

SETUP = """
    import os, pathlib, sys, threading, time
    sys.path.insert(0, os.path.join(os.environ["IMA_TESTS"], "python"))
    import conftest, ima, ima.aio, ima.mailbox, ima.net, ima.service
    authority = conftest.Authority(pathlib.Path("."))
    office_tls = authority.context("b.example", protocol="imrp")
    user_tls = authority.context(protocol="imrp")

    class Users:
        def by_password(self, user, password):
            time.sleep(300)
        def by_certificate(self, user, key, names):
            return None

    office = ima.net.RetrievalServer(Users(), office_tls, listen=["127.0.0.1:0"])
    office.start()
    client = ima.net.RetrievalClient.connect(
        "b.example", user_tls, hosts={"b.example": office.addresses[0]})
"""

# The interpreter waits while it ends, and says so. What `sys` has goes last: the globals of a thread
# that runs stay.
LATE = """
    class Late:
        def __del__(self, write=os.write, sleep=time.sleep):
            write(1, b"late\\n")
            sleep(0.5)
    sys.late = Late()
"""


def run(tmp_path, text):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SETUP) + textwrap.dedent(text)], cwd=tmp_path,
        env=os.environ, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    "ending",
    [
        "print('end')",
        "print('end'); sys.exit(3)",
        "def boom():\n    raise KeyError\nprint('end')\nboom()",
    ],
    ids=["at the end", "by exit", "by an exception"])
def test_a_running_server_and_a_live_client_do_not_keep_or_crash_it(tmp_path, ending):
    done = run(tmp_path, ending)
    assert done.stdout == "end\n"
    assert done.returncode in (0, 1, 3), done.stderr
    assert "terminate" not in done.stderr


def test_a_thread_that_waits_in_the_library_does_not_crash_it(tmp_path):
    silent = """
    import contextlib, socket
    office.stop(); office.wait()
    quiet = socket.create_server(("127.0.0.1", 0))
    where = {"b.example": "127.0.0.1:%d" % quiet.getsockname()[1]}
    def wait():
        with contextlib.suppress(ima.TimedOut):
            ima.net.RetrievalClient.connect("b.example", user_tls, hosts=where, timeout=0.3)
    threading.Thread(target=wait, daemon=True).start()
    time.sleep(0.1)
    print('end', flush=True)
    """
    done = run(tmp_path, silent + LATE)  # the call returns meanwhile
    assert (done.returncode, done.stdout, done.stderr) == (0, "end\nlate\n", "")


def test_threads_that_wait_for_the_interpreter_do_not_crash_it(tmp_path):
    waiting = """
    office.stop(); office.wait()
    ima.mailbox.Mailbox.create("box")
    box = ima.mailbox.Mailbox.open("box")
    def ask():
        while True:
            box.folders()
    for _ in range(4):
        threading.Thread(target=ask, daemon=True).start()
    time.sleep(0.1)
    sys.setswitchinterval(1000)  # from now on the main thread keeps the interpreter for itself
    time.sleep(0.1)
    print('end', flush=True)
    sum(range(5_000_000))
    """
    done = run(tmp_path, waiting + LATE)
    assert (done.returncode, done.stdout, done.stderr) == (0, "end\nlate\n", "")


@pytest.mark.parametrize("first", ["", "import ima"], ids=["before", "after"])
def test_a_subinterpreter_is_refused_whether_or_not_the_main_one_has_the_package(tmp_path, first):
    pytest.importorskip("_xxsubinterpreters")
    program = f"""
    import _xxsubinterpreters as subinterpreters
    {first}
    inner = subinterpreters.create()
    try:
        subinterpreters.run_string(inner, "import ima")
    except subinterpreters.RunFailedError as error:
        print(error)
    subinterpreters.destroy(inner)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], cwd=tmp_path, env=os.environ,
        capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "ImportError" in done.stdout and "main interpreter only" in done.stdout


def test_a_forked_child_ends_by_itself_and_leaves_the_parent_whole(tmp_path):
    forked = """
    if os.fork() == 0:
        with client:
            pass
        try:
            with client:
                client.folders()
        except ima.LocalProtocolError as error:
            print(error.rule, flush=True)
        sys.exit(0)
    print(os.wait()[1], flush=True)
    again = ima.net.RetrievalClient.connect(
        "b.example", user_tls, hosts={"b.example": office.addresses[0]})
    again.done()
    office.stop(); office.wait()
    print('end')
    """
    done = run(tmp_path, forked)
    assert (done.returncode, done.stdout, done.stderr) == (0, "forked\n0\nend\n", "")


def test_a_forked_child_leaves_the_with_block_of_its_parents_server(tmp_path):
    forked = """
    tls = authority.context("b.example")
    handler = ima.service.LocalHandler(ima.service.RoutingTable())
    with ima.net.DeliveryServer(handler, tls, listen=["127.0.0.1:0"]) as server:
        child = os.fork()
        if child != 0:
            print(os.waitpid(child, 0)[1], flush=True)
    if child == 0:
        os._exit(0)
    office.stop(); office.wait()
    print('end')
    """
    done = run(tmp_path, forked)
    assert (done.returncode, done.stdout, done.stderr) == (0, "0\nend\n", "")


def test_an_interrupt_stops_a_server_that_runs(tmp_path):
    interrupted = """
    import signal
    tls = authority.context("b.example")
    server = ima.net.DeliveryServer(
        ima.service.LocalHandler(ima.service.RoutingTable()), tls, listen=["127.0.0.1:0"])
    threading.Timer(0.3, os.kill, [os.getpid(), signal.SIGINT]).start()
    try:
        server.run()
    except KeyboardInterrupt:
        print('end')
    """
    done = run(tmp_path, interrupted)
    assert (done.returncode, done.stdout) == (0, "end\n"), done.stderr


def test_a_loop_that_ends_lets_those_go_who_wait_for_it(tmp_path):
    forgotten = """
    import asyncio
    class Later:
        async def by_password(self, user, password):
            asked.set()
            await asyncio.sleep(3600)
        async def by_certificate(self, user, key, names):
            return None
    asked = asyncio.Event()
    def log_in(where):
        with ima.net.RetrievalClient.connect("b.example", user_tls, hosts={"b.example": where}) as bob:
            try:
                bob.authenticate("bob", b"secret")
            except ima.TemporaryError as error:
                print(error.rule, flush=True)
    async def main():
        later = ima.aio.RetrievalServer(Later(), office_tls, listen=["127.0.0.1:0"])
        await later.start()
        thread = threading.Thread(target=log_in, args=later.addresses)
        thread.start()
        await asked.wait()
        return thread
    asyncio.run(main()).join()
    print('end')
    """
    done = run(tmp_path, forgotten)
    assert (done.returncode, done.stdout) == (0, "storage\nend\n"), done.stderr


SILENT = """
    import signal, socket
    quiet = socket.create_server(("127.0.0.1", 0))
    where = {"b.example": "127.0.0.1:%d" % quiet.getsockname()[1]}
    message = ima.Message.build([("from", "a@a.example"), ("to", "b@b.example")])
    sender_tls = authority.context("a.example")
    watching = ima.net.DeliveryServer(
        ima.service.LocalHandler(ima.service.RoutingTable()), authority.context("b.example"),
        listen=["127.0.0.1:0"])
    watching.start()
    nobody = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)  # a name server that never answers
    nobody.bind(("127.0.0.1", 0))
    dns = ["127.0.0.1:%d" % nobody.getsockname()[1]]
    queue = ima.service.Queue.open("queue")
    queue.add(message)
    runner = ima.net.QueueRunner(queue, sender_tls, hosts=where, limits=ima.Limits(handshake=3600))
    threading.Timer(0.3, os.kill, [os.getpid(), signal.SIGINT]).start()
    patient = ima.Limits(handshake=3600, line=3600)
    try:
"""


@pytest.mark.parametrize(
    "call",
    [
        "client.authenticate('bob', b'secret')",
        "client.wait_for_change()",
        "ima.net.RetrievalClient.connect('b.example', user_tls, hosts=where, limits=patient)",
        "ima.net.send_message(message, sender_tls, hosts=where, limits=patient, header_round=3600)",
        "watching.wait()",
        "ima.net.find_service('c.example', 'delivery', dns_servers=dns)",
        "runner.run_once()",
    ])
def test_an_interrupt_ends_a_call_that_waits(tmp_path, call):
    interrupted = f"{SILENT}        {call}\n" + """
    except KeyboardInterrupt:
        print('end', flush=True)
        os._exit(0)  # the rest of this test would still wait
    """
    done = run(tmp_path, interrupted)
    assert (done.returncode, done.stdout) == (0, "end\n"), done.stderr


def test_objects_that_outlive_the_main_program_end_with_the_interpreter(tmp_path):
    kept = """
    ima.mailbox.Mailbox.create("bob")
    class Kept:
        def __del__(self):
            self.box.take_in()  # works without the GIL, in the thread that ends the interpreter
            os.write(1, b'end\\n')
    kept = Kept()
    kept.box, kept.client = ima.mailbox.Mailbox.open("bob"), client
    del office  # with its handler, whose class keeps this module alive
    """
    done = run(tmp_path, kept)
    assert (done.returncode, done.stdout) == (0, "end\n"), done.stderr
