"""What breaks a rule of the protocols gets the documented answer, and the server lives on."""

import hashlib
import socket
import ssl

from harness import Domain, Tests, authority, peak_memory, stored

SHA = hashlib.sha256(b"hello\n").hexdigest().encode()
TOP = b"ima: 1\nfrom: alice@a.example\nto: bob@b.example\n"
PART = b"part: 6 text/plain sha256=" + SHA + b"\n"
GREETING = "IMDP 1 b.example max-size=1000000"


def offer(block):
    return b"MAIL %d\n" % len(block) + block


def block(*more, top=TOP):
    return top + b"".join(line + b"\n" for line in more) + b"\n"


# Each: what is sent, the lines that answer it, and whether the connection lives on.
IMDP = {
    "a carriage return": (offer(block(b"subject: Hi\r")), ["REJECT syntax", "line-control"], True),
    "a NUL": (offer(block(b"subject: a\0b")), ["REJECT syntax", "line 4", "line-control"], True),
    "invalid UTF-8": (offer(block(b"subject: \xff\xfe")), ["REJECT syntax", "line-utf8"], True),
    "an overlong form": (offer(block(b"subject: \xc0\xaf")), ["REJECT syntax", "line-utf8"], True),
    "a folded line": (offer(block(b"subject: a", b" b")), ["REJECT syntax", "line-syntax"], True),
    "another version": (offer(block(top=TOP.replace(b"1", b"2", 1))), ["REJECT syntax", "version"],
                        True),
    "two from lines": (offer(block(b"from: alice@a.example")), ["REJECT syntax", "repeated"], True),
    "no from line": (offer(b"ima: 1\nto: bob@b.example\n\n"), ["REJECT syntax", "from-missing"],
                     True),
    "no recipients": (offer(b"ima: 1\nfrom: alice@a.example\n\n"), ["REJECT recipients"], True),
    "none of ours": (offer(b"ima: 1\nfrom: alice@a.example\nto: x@c.example\n\n"),
                     ["REJECT recipients"], True),
    "an unknown recipient": (offer(b"ima: 1\nfrom: alice@a.example\nto: x@b.example\n\n"),
                             ["NORECIPIENT x@b.example", "REJECT recipients"], True),
    "another's domain": (offer(block(top=TOP.replace(b"a.ex", b"evil.ex"))), ["REJECT identity"],
                         True),
    "another's mailer": (offer(block(b"mailer: list@evil.example")), ["REJECT identity"], True),
    "a length with a zero": (offer(block(PART[:-1].replace(b"6", b"06", 1))), ["REJECT syntax"],
                             True),
    "lengths beyond 64 bits": (offer(block(PART[:-1].replace(b" 6 ", b" 18446744073709551616 "))),
                               ["REJECT syntax", "part-length"], True),
    "lengths that overflow together": (
        offer(block(PART[:-1], PART[:-1].replace(b" 6 ", b" 18446744073709551615 "))),
        ["REJECT syntax", "part-length"], True),
    "too big a body": (offer(block(PART[:-1].replace(b" 6 ", b" 1000001 "))), ["REJECT size"], True),
    "a line that is too long": (offer(block(b"subject: " + b"x" * 9000)),
                                ["REJECT syntax", "line-length"], True),
    "a block without its blank line": (offer(TOP), ["REJECT syntax", "truncated"], True),
    "octets behind the blank line": (offer(block() + b"x"), ["REJECT syntax"], True),
    "a header block over the limit": (b"MAIL 300000\n" + b"x" * 300000, ["REJECT size"], True),
    "a damaged part": (offer(block(PART[:-1])) + b"DATA 6\nhallo\n",
                       ["ACCEPT", "NOTE", "part-digest", "FAIL"], True),
    "a header block beyond all limits": (b"MAIL 99999999\n", ["CLOSE", "header-limit"], False),
    "a wrong DATA": (offer(block(PART[:-1])) + b"DATA 7\nhello\nx", ["ACCEPT", "CLOSE",
                                                                   "data-length"], False),
    "DATA without a message": (b"DATA 6\nhello\n", ["CLOSE", "command-order"], False),
    "an unknown command": (b"EHLO a.example\n", ["CLOSE", "command"], False),
    "a number with a zero": (b"MAIL 012\n", ["CLOSE", "number"], False),
    "a number beyond 64 bits": (b"MAIL 99999999999999999999\n", ["CLOSE", "number"], False),
    "a command with CRLF": (b"DONE\r\n", ["CLOSE", "line-control"], False),
    "a line without an end": (b"M" * 5000, ["CLOSE", "line-length"], False),
    "a NUL in a line": (b"MA\0IL 5\n", ["CLOSE", "line-control"], False),
    "an end within a header block": (b"MAIL 100\nima: 1\n", ["CLOSE", "truncated"], False),
    "an end within a body": (offer(block(PART[:-1])) + b"DATA 6\nhel", ["ACCEPT", "CLOSE",
                                                                       "truncated"], False),
}
IMRP = {
    "an unknown command": (b"LOGIN bob\n", ["FAIL command"], True),
    "a request before AUTH": (b"FOLDERS\n", ["FAIL state"], True),
    "a wrong password": (b"AUTH bob PASSWORD 5\nwrong", ["FAIL auth"], True),
    "no such user": (b"AUTH eve PASSWORD 5\nwrong", ["FAIL auth"], True),
    "a password over the limit": (b"AUTH bob PASSWORD 1025\n", ["FAIL framing"], False),
    "a malformed AUTH": (b"AUTH bob PASSWORD\n", ["FAIL framing"], False),
    "a control character": (b"FOLDERS\r\n", ["FAIL framing"], False),
    "a line without an end": (b"F" * 5000, ["FAIL framing"], False),
    "three wrong passwords": (b"AUTH bob PASSWORD 1\nx" * 3, ["FAIL auth"] * 3, False),
}


def converse(domain, server, alpn, said, own=None):
    """Says all of it and that no more follows (in TLS), and returns the lines that came."""
    context = ssl.create_default_context(cafile=str(domain.ca.pem))
    context.set_alpn_protocols([alpn])
    if own:
        context.load_cert_chain(own.chain, own.key)
    coming, going = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(coming, going, server_hostname=domain.name)
    got = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as plain:

        def step(call):
            while True:
                try:
                    return call()
                except ssl.SSLWantReadError:
                    plain.sendall(going.read())
                    received = plain.recv(65536)
                    coming.write(received) if received else coming.write_eof()

        step(tls.do_handshake)
        tls.write(said)
        try:
            tls.unwrap()
        except ssl.SSLWantReadError:
            pass  # what we have to say is said; now we listen
        try:
            while piece := step(lambda: tls.read(65536)):
                got += piece
        except ssl.SSLZeroReturnError:
            pass  # the orderly end
        except (ssl.SSLError, ConnectionResetError) as problem:
            got += f"[{problem}]".encode()
    return got.decode(errors="backslashreplace").splitlines()


def judge(t, what, lines, greeting, parts, last):
    t.true(f"{what}: greeting", lines and lines[0].startswith(greeting), lines)
    text = "\n".join(lines[1:])
    at = 0
    for part in parts:
        found = text.find(part, at)
        t.true(f"{what}: {part}", found >= 0, lines)
        at = found + len(part)
    end = lines[-len(last):] if last else text[at:].splitlines()[1:]
    t.equal(f"{what}: the end", end, last)


with Tests() as t:
    ca = authority(t.work)
    a, b = Domain(t, ca, "a.example"), Domain(t, ca, "b.example")
    bob = b.add_user("bob")
    receive = b.start("server-receive", "max-size = 1000000")
    office = b.start("server-post-office")

    good = offer(block(b"subject: good", PART[:-1])) + b"DATA 6\nhello\n"
    for what, (said, parts, lives) in IMDP.items():
        more = good + b"DONE\n" if lives else b""
        lines = converse(b, receive, "imdp", said + more, a)
        judge(t, what, lines, GREETING, parts, ["OK bob@b.example", "OK"] if lives else [])
    t.equal("only the good one is in the mailbox, once", len(stored(bob)), 1)
    t.equal("nothing is left in tmp", list((bob / "tmp").iterdir()), [])
    t.true("the server's memory", peak_memory(receive.process.pid) < 32 << 20)
    t.equal("the server lives on", receive.stop(), 0)

    proof = b"AUTH bob PASSWORD 13\ncorrect horseFOLDERS\nDONE\n"
    for what, (said, parts, lives) in IMRP.items():
        lines = converse(b, office, "imrp", said + (proof if lives else b""))
        judge(t, what, lines, "IMRP 1 b.example", parts,
              ["OK", "FOLDER inbox inbox", "OK"] if lives else [])
    t.true("no password in the log", "wrong" not in office.text().replace("wrong user name", ""))
    t.equal("the post office lives on", office.stop(), 0)
