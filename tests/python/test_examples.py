"""The examples that do real work, over real TLS: a list's host, and a host with two readers."""

import html.parser
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.parse
import urllib.request

import ima
import ima.mailbox
import ima.net
import ima.service
import pytest

EXAMPLES = pathlib.Path(os.environ["IMA_TESTS"]).parent / "examples/python"


def command(name, *words):
    path = os.environ["PYTHONPATH"]
    return ["/usr/bin/env", f"PYTHONPATH={path}", sys.executable, "-B", str(EXAMPLES / name),
            *map(str, words)]


class World:
    """b.example with bob's and carol's mailboxes, and l.example, whose routes a test adds."""

    def __init__(self, place, authority):
        self.place, self.authority = place, authority
        self.boxes, self.hosts, self.running = {}, {}, []
        routes = ima.service.RoutingTable()
        routes.add_host("b.example")
        for user in ("bob", "carol"):
            ima.mailbox.Mailbox.create(str(place / user))
            self.boxes[user] = ima.mailbox.Mailbox.open(str(place / user))
            routes.add(f"{user}@b.example", mailbox=str(place / user))
        self.serve("b.example", routes)

    def serve(self, domain, routes):
        server = ima.net.DeliveryServer(
            ima.service.LocalHandler(routes), self.authority.context(domain),
            listen=["127.0.0.1:0"])
        server.start()
        self.running.append(server)
        self.hosts[domain] = server.addresses[0]

    def settings(self, address, extra=""):
        domain = address.partition("@")[2]
        self.authority.issue(domain)
        keys = self.authority.place
        hosts = "".join(f'"{h}" = "{w}"\n' for h, w in self.hosts.items())
        path = self.place / "settings.toml"
        path.write_text(
            f'address = "{address}"\nstate = "state.json"\n{extra}\n[tls]\n'
            f'chain = "{keys}/{domain}.pem"\nkey = "{keys}/{domain}.key"\n'
            f'ca-file = "{keys}/ca.pem"\n[hosts]\n{hosts}')
        return path

    def send(self, sender, to, *fields, subject="Hi", text=b"hello\n"):
        message = ima.Message.build(
            [("id", ima.new_message_id("x.example")), ("from", sender), ("to", to),
             ("subject", subject), *fields],
            [ima.Part(text, "text/plain")])
        domain = message.header.originator.host
        return ima.net.send_message(message, self.authority.context(domain), hosts=self.hosts)

    def mail(self, user):
        """The header blocks and first parts of what a user has, oldest last taken in last."""
        box = self.boxes[user]
        box.take_in()
        return [(box.header("inbox", e.id).header, box.open_part("inbox", e.id, 1).read().decode())
                for e in box.entries()]


@pytest.fixture
def world(tmp_path, authority):
    made = World(tmp_path, authority)
    yield made
    for server in made.running:
        server.stop()
        server.wait()


def serve_list(world):
    settings = world.settings("list@l.example", 'queue = "queue"')
    routes = ima.service.RoutingTable()
    routes.add_host("l.example")
    for name in ("list", "list+subscribe", "list+unsubscribe"):
        routes.add(f"{name}@l.example",
                   command=command("mailing_list.py", settings, "{address}"))
    world.serve("l.example", routes)


def subscribers(world):
    return json.loads((world.place / "state.json").read_text())


def test_a_mailing_list(world):
    serve_list(world)
    stranger = world.send("bob@b.example", "list@l.example")
    assert stranger.outcome == "refused"
    assert any("only subscribers" in n for n in stranger.hosts[0].notes)
    for user in ("bob", "carol"):
        assert world.send(f"{user}@b.example", "list+subscribe@l.example").outcome == "delivered"

    assert world.send("bob@b.example", "list@l.example", subject="One").outcome == "delivered"
    for user in ("bob", "carol"):
        [(header, text)] = world.mail(user)
        assert (header.subject, text) == ("One", "hello\n")
        assert str(header.mailer) == "list@l.example" and header.all("via") == ["list@l.example"]
        assert header.all("for") == [f"{user}@b.example"]
        assert header.first("list-id") == "list.l.example" and header.count("received") <= 2

    looping = world.send("bob@b.example", "list@l.example", ("via", "list@l.example"))
    assert looping.outcome == "refused" and len(world.mail("carol")) == 1

    report = ("auto", "report")
    text = b"FAIL carol@b.example mailbox is full\xff\n"
    for number in range(5):  # of others than carol's domain or the list's, or to another address
        for sender, to in (("x@evil.example", "list@l.example"),
                           ("report@b.example", "list+subscribe@l.example")):
            sent = world.send(sender, to, report, subject=str(number), text=text)
            assert sent.outcome == "delivered"
        world.send("carol@b.example", "list@l.example", report, ("mailer", "x@evil.example"),
                   subject=str(number), text=text)
    assert subscribers(world) == {"bob@b.example": 0, "carol@b.example": 0}
    for number in range(5):
        world.send("report@b.example", "list@l.example", report, subject=str(number), text=text)
    assert world.send("bob@b.example", "list@l.example", subject="Two").outcome == "delivered"
    assert len(world.mail("bob")) == 2 and len(world.mail("carol")) == 1

    world.send("bob@b.example", "list+unsubscribe@l.example")
    assert world.send("bob@b.example", "list@l.example", subject="3").outcome == "refused"


def test_a_mailing_list_leaves_out_whom_it_cannot_reach(world):
    world.hosts["dead.example"] = "127.0.0.1:1"
    serve_list(world)
    for user in ("bob@b.example", "ghost@b.example", "carol@b.example", "dan@dead.example"):
        assert world.send(user, "list+subscribe@l.example").outcome == "delivered"
    for number in range(1, 6):
        post = world.send("bob@b.example", "list@l.example", subject=str(number))
        assert post.outcome == "delivered"
        assert len(world.mail("bob")) == len(world.mail("carol")) == number
    assert any("ghost@b.example is off" in note for note in post.hosts[0].notes)
    assert set(subscribers(world)) == {"bob@b.example", "carol@b.example", "dan@dead.example"}
    queue = ima.service.Queue.open_existing(str(world.place / "queue"))
    assert [h.host for id in queue.ids() for h in queue.read(id).hosts] == ["dead.example"] * 5


def test_a_mailing_list_with_more_readers_at_a_host_than_a_message_may_name(world):
    world.hosts["dead.example"] = "127.0.0.1:1"
    serve_list(world)
    away = [f"user-{number:0>100}@dead.example" for number in range(1100)]
    (world.place / "state.json").write_text(json.dumps(dict.fromkeys(["bob@b.example", *away], 0)))

    def named_in_queue():
        queue = ima.service.Queue.open_existing(str(world.place / "queue"))
        hosts = [host for id in queue.ids() for host in queue.read(id).hosts]
        return sorted(r.recipient.key for host in hosts for r in host.results)

    def post(subject, *fields):
        return world.send("bob@b.example", "list@l.example", *fields, subject=subject)

    named = [("cc", f"user{number}@x.example") for number in range(499)]
    assert post("One", *named, ("for", "list@l.example")).outcome == "delivered"
    assert len(world.mail("bob")) == 1 and named_in_queue() == away
    named.append(("cc", "one-more@x.example"))
    assert post("Too many", *named, ("for", "list@l.example")).outcome == "refused"

    # What fits into a header block with few readers only: those get it, and it is not told as failed.
    sent = post("Long", *[("x-long", "x" * 8000)] * 25)
    assert sent.outcome == "delivered"
    assert sum("header-limit" in note for note in sent.hosts[0].notes) == 2
    assert len(world.mail("bob")) == 2 and len(named_in_queue()) == 1200
    assert set(subscribers(world).values()) == {0}


def test_a_mailing_list_that_cannot_count_does_not_send_again(world):
    routes = ima.service.RoutingTable()
    routes.add_host("c.example")
    routes.add("dan@c.example", command=["/bin/mkdir", str(world.place / "state.draft")])
    world.serve("c.example", routes)
    serve_list(world)
    for user in ("bob@b.example", "dan@c.example"):
        assert world.send(user, "list+subscribe@l.example").outcome == "delivered"
    post = world.send("bob@b.example", "list@l.example")
    assert post.outcome == "delivered" and len(world.mail("bob")) == 1
    assert any("cannot write" in note for note in post.hosts[0].notes)
    assert world.send("bob@b.example", "list@l.example").outcome == "deferred"
    assert len(world.mail("bob")) == 1


def serve_answers(world):
    settings = world.settings("away@l.example", 'text = "I am away.\\n"')
    routes = ima.service.RoutingTable()
    routes.add_host("l.example")
    for name in ("away", "other"):
        routes.add(f"{name}@l.example", command=command("auto_reply.py", settings))
    world.serve("l.example", routes)


def test_an_automatic_answer_that_cannot_loop(world):
    serve_answers(world)

    no_answer = [("auto", "report"), ("list-id", "x"), ("mailer", "list@b.example"),
                 ("via", "list@b.example"), ("reply-to", "away@l.example")]
    for number, field in enumerate(no_answer):
        sent = world.send("bob@b.example", "away@l.example", field, subject=str(number))
        assert sent.outcome == "delivered"
    world.send("bob@b.example", "other@l.example")
    assert world.mail("bob") == []

    for subject in ("Where are you?", "Where are you now?"):
        world.send("bob@b.example", "away@l.example", subject=subject)
    [(header, text)] = world.mail("bob")
    assert (header.subject, text) == ("Re: Where are you?", "I am away.\n")
    assert header.first("auto") == "reply" and header.count("in-reply-to") == 1

    # Nobody gets an answer to what somebody of another domain wrote; at home one may choose.
    world.send("eve@x.example", "away@l.example", ("reply-to", "carol@b.example"))
    assert world.mail("carol") == [] and len(world.mail("bob")) == 1
    world.send("dan@b.example", "away@l.example", ("reply-to", "carol@b.example"))
    assert len(world.mail("carol")) == 1


def test_an_automatic_answer_to_a_message_with_the_longest_lines(world):
    serve_answers(world)
    subject = "\u20ac" + "x" * 198 + " " + "y" * 7900  # cut after a space
    sent = world.send("bob@b.example", "away@l.example", subject=subject)
    assert sent.outcome == "delivered"
    [(header, text)] = world.mail("bob")
    assert (header.subject, text) == (f"Re: {subject[:199]}", "I am away.\n")

    message = ima.Message.build(
        [("id", "x" * 8187), ("from", "carol@b.example"), ("to", "away@l.example")],
        [ima.Part(b"hello\n", "text/plain")])
    sent = ima.net.send_message(message, world.authority.context("b.example"), hosts=world.hosts)
    assert sent.outcome == "delivered"
    [(header, text)] = world.mail("carol")
    assert text == "I am away.\n" and header.count("in-reply-to") == 0


def test_an_automatic_answer_that_fails_does_not_fail_the_message(world):
    serve_answers(world)
    settings = world.place / "settings.toml"
    settings.write_text(settings.read_text().replace("l.example.pem", "none.pem"))
    assert world.send("bob@b.example", "away@l.example").outcome == "delivered"
    assert world.mail("bob") == []


@pytest.mark.parametrize("damaged", [b"", b"[]", b"\xff"])
def test_a_damaged_state_file_lets_mail_wait(world, damaged):
    serve_answers(world)
    state = world.place / "state.json"
    state.write_bytes(damaged)
    assert world.send("bob@b.example", "away@l.example").outcome == "deferred"
    state.unlink()
    draft = world.place / "state.draft"
    draft.mkdir()
    assert world.send("bob@b.example", "away@l.example").outcome == "deferred"
    assert world.mail("bob") == []
    draft.rmdir()
    assert world.send("bob@b.example", "away@l.example").outcome == "delivered"
    assert len(world.mail("bob")) == 1


def test_a_daily_digest(world):
    settings = world.settings("digest@l.example")

    def digest():
        words = command("daily_digest.py", settings, world.place / "bob", "carol@b.example")
        return subprocess.run(words, check=False).returncode

    assert digest() == 0 and world.mail("carol") == []
    for subject in ("One", "Two"):
        world.send("alice@a.example", "bob@b.example", subject=subject)
    assert digest() == 0
    assert digest() == 0  # nothing came since
    [(header, text)] = world.mail("carol")
    assert header.subject == "2 new messages" and header.first("auto") == "digest"
    assert sorted(line.split()[1] for line in text.splitlines()) == ["One", "Two"]
    world.send("alice@a.example", "bob@b.example", subject="Three")
    assert digest() == 0
    assert "alice@a.example: Three (" in world.mail("carol")[-1][1]


def test_an_alert_for_cron(world):
    settings = world.settings("cron@l.example")

    def alert(*words):
        return subprocess.run(command("cron_alert.py", settings, "bob@b.example", *words),
                              check=False, stderr=subprocess.PIPE).returncode

    assert alert("true") == 0 and world.mail("bob") == []
    assert alert("sh", "-c", "echo it broke; exit 3") == 3
    [(header, text)] = world.mail("bob")
    assert header.subject.endswith("ended with 3") and text == "it broke\n"
    assert alert("sh", "-c", "yes | head -c 200000; kill -9 $$") == 137
    assert max(len(text) for _, text in world.mail("bob")) == 64 * 1024


def test_an_alert_tells_of_a_command_that_cannot_be_started(world, tmp_path):
    settings = world.settings("cron@l.example")

    def alert(settings, *words):
        return subprocess.run(command("cron_alert.py", settings, "bob@b.example", *words),
                              check=False, capture_output=True, text=True)

    no_program = tmp_path / "no program"
    no_program.write_text("true\n")
    assert alert(settings, tmp_path / "none").returncode == 127
    assert alert(settings, no_program).returncode == 126
    subjects = {header.subject[-20:]: text for header, text in world.mail("bob")}
    assert "No such file" in subjects["/none ended with 127"]
    assert "Permission denied" in subjects["ogram' ended with 126"[-20:]]

    ran = tmp_path / "ran"
    done = alert(tmp_path / "none.toml", "touch", ran)
    assert done.returncode == 75 and not ran.exists()
    assert done.stderr.startswith("cron_alert.py: cannot read") and done.stderr.count("\n") == 1


def test_a_watched_mailbox_runs_a_command(world):
    kept = world.place / "kept"
    kept.mkdir()
    script = f'read first; echo "$first" >{kept}/$$; cat >>{kept}/$$; [ ! -e {kept}/refuse ]'

    def watch(*options):
        return command("watch_mailbox.py", *options, world.place / "bob", "sh", "-c", script)

    world.send("alice@a.example", "bob@b.example", subject="One")
    (kept / "refuse").touch()
    subprocess.run(watch("--once"), check=True)  # the command says no
    (kept / "refuse").unlink()
    for _ in range(2):
        subprocess.run(watch("--once"), check=True)
    files = list(kept.iterdir())
    assert len(files) == 2  # the one refused, and the one taken; not a third
    assert all(ima.Message.parse(f.read_bytes()).header.subject == "One" for f in files)

    running = subprocess.Popen(watch())
    try:
        world.send("alice@a.example", "bob@b.example", subject="Two")
        for _ in range(300):
            if len(list(kept.iterdir())) == 3:
                break
            time.sleep(0.1)
        else:
            pytest.fail("the new message was not handed over")
    finally:
        running.kill()
        running.wait()


class Running:
    """An example that runs until it is told to stop, and what it printed up to a line of interest."""

    def __init__(self, words, until):
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        self.printed = ""
        for line in self.process.stdout:
            self.printed += line
            if re.search(until, line):
                return
        pytest.fail(f"it ended and printed only: {self.printed}")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.stdout.close()
        return self.process.wait(60)


def by_the_programs(printed):
    """The commands that the sandbox prints, with the programs of the same build, if there are any."""
    tools = pathlib.Path(ima.__file__).parents[3] / "tools"
    if not (tools / "fetch-mail").exists():
        return
    commands = printed.partition("\n")[2]
    done = subprocess.run(
        ["sh", "-euc", commands], capture_output=True, text=True, timeout=60,
        env={**os.environ, "PATH": "/usr/bin:/bin"})
    assert done.returncode == 0, done.stderr
    sent, *fetched = done.stdout.splitlines()
    assert sent == "OK bob@b.example" and len(fetched) == 3


def test_a_sandbox_with_recipients_that_misbehave(tmp_path, authority):
    place = tmp_path / "sandbox"
    running = Running(command("sandbox.py", place), "fetch-mail")
    try:
        settings = tomllib.loads((place / "a.example/server-send-mail.toml").read_text())
        tls = ima.tls.Context(
            [(str(place / "a.example/domain.pem"), str(place / "a.example/domain.key"))],
            system_store=False, ca_file=str(place / "ca.pem"))

        def send(*locals_, limits=ima.Limits()):
            fields = [("to", f"{local}@b.example") for local in locals_]
            message = ima.Message.build(
                [("id", ima.new_message_id("a.example")), ("from", "alice@a.example"), *fields],
                [ima.Part(b"hello\n", "text/plain")])
            report = ima.net.send_message(message, tls, hosts=settings["hosts"], limits=limits)
            return report.outcome, [r.outcome for r in report.hosts[0].results], report.hosts[0]

        assert send("bob")[:2] == ("delivered", ["OK"])
        assert send("later")[0] == "deferred" and send("never")[0] == "refused"
        assert send("bob", "fail", "defer")[:2] == ("mixed", ["OK", "FAIL", "DEFER"])
        assert send("full")[:2] == ("refused", ["FAIL"])
        assert send("nobody")[:2] == ("refused", ["NORECIPIENT"])
        assert send("drop")[2].unknown
        assert send("slow", limits=ima.Limits(verdict=1.0))[2].unknown

        fetch = tomllib.loads((place / "b.example/fetch-mail.toml").read_text())
        password = (place / "b.example/bob.password").read_bytes().strip()
        office = ima.tls.Context(
            protocol="imrp", system_store=False, ca_file=str(place / "ca.pem"))
        with ima.net.RetrievalClient.connect(
                "b.example", office, hosts=fetch["hosts"]) as client:
            client.authenticate("bob", password)
            assert client.status("inbox").messages == 2
            answer = ima.Message.build([("from", "bob@b.example"), ("to", "alice@a.example")])
            assert client.send(answer).verdict == "delivered"
        by_the_programs(running.printed)
    finally:
        assert running.stop() == 0
    make_old(place)
    again = Running(command("sandbox.py", place), "fetch-mail")
    assert again.stop() == 0
    subprocess.run(
        ["openssl", "verify", "-attime", str(int(time.time()) + 20 * 86400), "-CAfile", "ca.pem",
         "a.example/domain.pem", "b.example/domain.pem"], cwd=place, check=True)


def make_old(place):
    """Puts a certificate that is about to end in place of the sandbox's authority's."""
    subprocess.run(
        ["openssl", "x509", "-in", "ca.pem", "-signkey", "ca.key", "-days", "0", "-out", "ca.pem"],
        cwd=place, check=True, capture_output=True)


@pytest.mark.parametrize("name", sorted(p.name for p in EXAMPLES.glob("*.py")))
def test_a_wrong_call_shows_the_usage(name, tmp_path):
    if name == "postage.py":
        return
    if name == "read_in_browser.py":
        pytest.importorskip("bottle")
    asked = subprocess.run(command(name, "--help"), cwd=tmp_path, capture_output=True, text=True)
    wrong = subprocess.run(command(name), cwd=tmp_path, capture_output=True, text=True)
    assert (asked.returncode, asked.stderr) == (0, "") and name in asked.stdout
    assert (wrong.returncode, wrong.stdout, wrong.stderr) == (64, "", asked.stdout)
    assert list(tmp_path.iterdir()) == []


class Links(html.parser.HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.found, self.tags = [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.found += [value for name, value in attributes if name in ("href", "src")]


HOSTILE = '<script>document.title = "taken"</script><img src=http://x.example/seen.gif>'


@pytest.fixture
def page(world):
    """The address of a page over bob's mailbox, in which somebody hostile has written."""
    pytest.importorskip("bottle")
    message = ima.Message.build(
        [("from", f"{HOSTILE} <eve@x.example>"), ("to", "bob@b.example"), ("subject", HOSTILE)],
        [ima.Part(HOSTILE.encode(), "text/html"),
         ima.Part(b"\xff\xd8\xff", "image/jpeg", name='"><script>.jpg', role="attachment")])
    report = ima.net.send_message(message, world.authority.context("x.example"), hosts=world.hosts)
    assert report.outcome == "delivered"
    running = Running(command("read_in_browser.py", world.place / "bob"), "http:")
    yield running.printed.strip()
    running.stop()


def get(url):
    with urllib.request.urlopen(url, timeout=20) as answer:
        return answer.headers, answer.read()


def test_a_page_over_a_mailbox_shows_hostile_text_as_text(page):
    folders = get(page)[1].decode()
    [inbox] = [link for link in Links(folders).found if bytes.fromhex(link[:-1]) == b"inbox"]
    listing = get(page + inbox)[1].decode()
    [message] = [link for link in Links(listing).found if not link.startswith(".")]
    headers, shown = get(page + inbox + message)
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    for text in (listing, shown.decode()):
        assert not {"script", "img"} & set(Links(text).tags)
        assert "&lt;script&gt;document.title" in text
    assert "<th>proved<td>x.example" in shown.decode()
    parts = [link for link in Links(shown.decode()).found if not link.startswith(".")]
    assert parts == ["1", "2"]
    headers, octets = get(page + inbox + message + "2")
    assert octets == b"\xff\xd8\xff" and headers["Content-Type"] == "application/octet-stream"
    assert headers["Content-Disposition"].startswith("attachment") and ">" not in str(
        headers["Content-Disposition"])
    wrong = [page + "zz/", page + inbox + message + "9" * 23, page + inbox + "none/", page + inbox + message + "9",
             page.rsplit("/", 2)[0] + "/", page.rsplit("/", 2)[0] + "/guessed/"]
    for url in wrong:
        with pytest.raises(urllib.error.HTTPError) as caught:
            get(url)
        assert caught.value.code == 404


def test_a_page_shows_what_came_later_and_waits_for_no_idle_connection(page, world):
    listing = page + b"inbox".hex() + "/"
    before = len(Links(get(listing)[1].decode()).found)
    where = urllib.parse.urlsplit(page)
    with socket.create_connection((where.hostname, where.port)):  # says nothing
        world.send("alice@a.example", "bob@b.example", subject="Later")
        assert "of 2 unread" in get(page)[1].decode()
        shown = get(listing)[1].decode()
    assert "Later" in shown and len(Links(shown).found) == before + 1


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no chromium")
def test_a_browser_runs_nothing_of_a_hostile_message(page, tmp_path):
    listing = page + b"inbox".hex() + "/"
    [message] = [link for link in Links(get(listing)[1].decode()).found if not link.startswith(".")]
    shown = subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
         f"--user-data-dir={tmp_path}", listing + message],
        capture_output=True, text=True, timeout=120, check=True).stdout
    assert "&lt;script&gt;document.title" in shown
    assert "<title>taken" not in shown and "<img" not in shown
