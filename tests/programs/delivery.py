"""A message with an attachment goes over real TLS into a mailbox, once; what is not allowed is
refused with its reason."""

import hashlib
import json
import os

from harness import Domain, Tests, authority, stored

with Tests() as t:
    ca = authority(t.work)
    hosts = {}
    a, b, evil = (Domain(t, ca, name, hosts) for name in ("a.example", "b.example", "evil.example"))
    bob = b.add_user("bob")
    taken = b.place / "taken"
    b.routes += [
        f'"cat@b.example" = {{ command = ["/bin/sh", "-c", "cat >{taken}; echo thanks"] }}',
        '"no@b.example" = { command = ["/bin/false"] }',
    ]
    server = b.start("server-receive")
    photo = a.place / "photo.jpg"
    photo.write_bytes(os.urandom(300_000))

    one = a.message("--to", "bob@b.example", "--subject", "Photos", "--attach", photo)
    sent = a.send(one)
    t.equal("delivered", (sent.code, sent.out), (0, "OK bob@b.example\n"))
    copies = list(bob.glob("new/*/2-photo.jpg"))
    t.equal("the part is stored as it was sent", [c.read_bytes() for c in copies],
            [photo.read_bytes()])
    t.equal("delivered again", a.send(one).out, "OK bob@b.example\n")
    t.equal("one copy", len(stored(bob)), 1)
    t.equal("nothing is left in tmp", list((bob / "tmp").iterdir()), [])

    sent = a.send(a.message("--to", "nobody@b.example", "--to", "bob@b.example"))
    t.equal("an unknown recipient", sent.code, 1)
    t.contains("an unknown recipient is named", sent.out, "NORECIPIENT nobody@b.example")
    t.equal("nobody gets it then", len(stored(bob)), 1)
    t.equal("a draft is for nobody", a.send(a.message()).code, 65)

    sent = a.send(a.message("--to", "bob@b.example"), hosts={},
                  sections='[dns]\nservers = ["127.0.0.1:1"]\ntimeout = "100ms"\n')
    t.equal("name servers that are away are a problem for now", sent.code, 75)
    t.contains("name servers that are away are named", sent.out, "[dns]")

    report = json.loads(a.send(a.message("--to", "bob@b.example"), "--json").out)
    t.equal("the outcome as JSON", report["outcome"], "delivered")
    t.equal("the results as JSON", report["hosts"][0]["results"],
            [{"recipient": "bob@b.example", "result": "OK", "text": ""}])

    three = a.message("--to", "cat@b.example", "--to", "no@b.example", "--attach", photo)
    sent = a.send(three)
    t.equal("one command takes it, one does not", sent.code, 2)
    t.contains("the one that took it", sent.out, "OK cat@b.example")
    t.contains("the one that did not", sent.out, "FAIL no@b.example")

    def digest(octets):
        return hashlib.sha256(octets[-300_006:]).hexdigest()

    t.equal("the command got the whole message", digest(taken.read_bytes()), digest(three))

    forged = evil.message("--to", "bob@b.example").replace(b"alice@evil.", b"alice@a.")
    sent = evil.send(forged)
    t.equal("a sender without the certificate", sent.code, 78)
    t.contains("a sender without the certificate hears why", sent.err, "no-certificate")

    t.equal("the server ends by itself", server.stop(), 0)
    t.contains("the server says so", server.text(), " stopped")
