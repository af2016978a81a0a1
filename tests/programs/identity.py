"""Who may talk to a server, tried with openssl s_client and with the programs: each refusal ends in
the alert that docs/identity.md names, or in REJECT identity, and the log tells its rule."""

import contextlib
import subprocess

from harness import Domain, Tests, authority, run

ALERTS = {  # what openssl prints for an alert that came
    "no_application_protocol": "alert number 120",
    "missing_extension": "alert number 109",
    "unrecognized_name": "alert number 112",
    "protocol_version": "alert number 70",
    "certificate_required": "alert number 116",
    "certificate_expired": "alert number 45",
    "certificate_revoked": "alert number 44",
    "unknown_ca": "alert number 48",
    "unsupported_certificate": "alert number 43",
}

with Tests() as t, contextlib.ExitStack() as ends:
    ca = authority(t.work)
    stranger = authority(t.work / "stranger")
    a, b, c = (Domain(t, ca, name) for name in ("a.example", "b.example", "c.example"))
    b.add_user("bob")

    def pair(name, *names, by=ca, **more):
        return by.certificate(t.work / name, names, **more)

    def client(address, *words, cert=(a.chain, a.key), name="b.example", alpn="imdp",
               version="-tls1_3", say=b"DONE\n"):
        """What openssl's client meets, as one text."""
        line = ["openssl", "s_client", "-connect", address, "-CAfile", ca.pem, version, "-ign_eof",
                "-quiet"]
        line += ["-servername", name] if name else ["-noservername"]
        line += ["-alpn", alpn] if alpn else []
        line += ["-cert", cert[0], "-key", cert[1]] if cert else []
        done = run(*line, *words, stdin=say, timeout=30)
        return done.out + done.err

    def refused(server, what, rule, alert, **how):
        before = len(server.text())
        heard = client(server.address, **how)
        t.contains(f"{what}: the alert", heard, ALERTS[alert])
        t.true(f"{what}: no greeting", "IMDP 1" not in heard and "IMRP 1" not in heard, heard)
        server.wait_for(f"handshake-failed .*rule={rule} ", 5)
        t.contains(f"{what}: the log", server.text()[before:], f"rule={rule} ")

    def key_of(chain):
        done = run(t.program("ima-admin"), "check-certificate", "--peer", "client", chain, "x")
        return next(line.split()[1] for line in done.lines() if line.startswith("key "))

    lists = t.work / "lists"
    lists.mkdir()
    revoked = pair("revoked", "a.example")
    ca.revoke([revoked[0]], lists / "ca.pem")
    stranger.revoke([], lists / "stranger.pem")
    server = b.start("server-receive", tls=f'crl = "{lists}"\n')

    t.contains("all is well", client(server.address), "IMDP 1 b.example")
    t.contains("several words", client(server.address, alpn="h2,imdp,http/1.1"), "IMDP 1 b.example")
    refused(server, "no ALPN", "tls-alpn", "no_application_protocol", alpn=None)
    refused(server, "wrong ALPN", "tls-alpn", "no_application_protocol", alpn="imrp")
    refused(server, "no SNI", "tls-sni", "missing_extension", name=None)
    refused(server, "another's SNI", "tls-sni", "unrecognized_name", name="c.example")
    refused(server, "SNI in capitals", "tls-sni", "unrecognized_name", name="B.example")
    refused(server, "TLS 1.2", "tls-version", "protocol_version", version="-tls1_2")
    refused(server, "no certificate", "certificate-missing", "certificate_required", cert=None)
    refused(server, "an expired one", "certificate-expired", "certificate_expired",
            cert=pair("expired", "a.example", days="-1"))
    refused(server, "a revoked one", "certificate-revoked", "certificate_revoked", cert=revoked)
    refused(server, "a stranger's", "certificate-issuer", "unknown_ca",
            cert=pair("strange", "a.example", by=stranger))
    refused(server, "one for code", "certificate-purpose", "unsupported_certificate",
            cert=pair("code", "a.example", usage="codeSigning"))

    # The domain is judged for each message, and the connection lives on.
    def mail(sender):
        block = a.message("--to", "bob@b.example", sender=sender).partition(b"\n\n")[0] + b"\n\n"
        return b"MAIL %d\n%s" % (len(block), block)

    before = len(server.text())
    heard = client(server.address, cert=(c.chain, c.key),
                   say=mail("alice@a.example") + mail("carol@c.example") + b"CANCEL\nDONE\n")
    answers = [line.split()[:2] for line in heard.splitlines()
               if line.startswith(("REJECT", "ACCEPT"))]
    t.equal("a wrong domain, then the right one", answers, [["REJECT", "identity"], ["ACCEPT"]])
    t.contains("the log tells the rule", server.text()[before:], "rule=identity ")

    # The programs: the sender shows the certificate of the message's own domain.
    both = a.tls() + f'[[tls.certificate]]\nchain = "{c.chain}"\nkey = "{c.key}"\n'
    a.tls = lambda extra="": both
    hosts = {"b.example": server.address}
    for sender in ("alice@a.example", "carol@c.example"):
        sent = a.send(a.message("--to", "bob@b.example", sender=sender), hosts=hosts)
        t.equal(f"from {sender}", (sent.code, sent.out), (0, "OK bob@b.example\n"))
    sent = a.send(a.message("--to", "bob@b.example", sender="dan@d.example"), hosts=hosts)
    t.contains("a domain without a certificate", sent.err, "[no-certificate]")

    # A server that is not who it should be is told by an alert, and gets no mail.
    def call(what, rule, *cert, alpn="imdp"):
        words = ["-alpn", alpn] if alpn else []
        with subprocess.Popen(["openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", cert[0],
                               "-key", cert[1], *words, "-Verify", "1", "-tls1_3"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=subprocess.PIPE) as process:
            ends.callback(process.kill)
            address = next(line.split()[1].decode() for line in process.stdout
                           if line.startswith(b"ACCEPT"))
            sent = a.send(a.message("--to", "bob@b.example"), hosts={"b.example": address})
            process.kill()
        t.contains(what, sent.out, f"[{rule}]")
        t.equal(f"{what}: not for good, as anybody could stand between", sent.code, 75)

    call("the wrong domain", "identity", c.chain, c.key)
    call("an expired server", "certificate-expired", *pair("old", "b.example", days="-1"))
    call("a stranger's server", "certificate-issuer",
         *pair("strange-server", "b.example", by=stranger))
    call("a client's certificate", "certificate-purpose",
         *pair("client", "b.example", usage="clientAuth"))
    call("no ALPN", "tls-alpn", b.chain, b.key, alpn=None)
    call("another's ALPN", "tls-alert", b.chain, b.key, alpn="http/1.1")

    # The post office asks for no certificate, and judges one when the user authenticates.
    office = b.start("server-post-office")
    imrp = {"alpn": "imrp", "cert": None}
    t.contains("the post office", client(office.address, **imrp), "IMRP 1 b.example")
    refused(office, "no ALPN at the post office", "tls-alpn", "no_application_protocol",
            cert=None, alpn=None)
    office.stop()

    # A user's key counts by itself; a name only from the operator's own authority, while it is valid.
    (b.place / "users.toml").open("a").write(
        '\n[users.carol]\nmailbox = "bob"\nissued-certificate = true\n'
        f'\n[users.dan]\nmailbox = "bob"\nkeys = ["{"0" * 64}", "{key_of(a.chain)}"]\n')
    office = b.start("server-post-office", top="trust-issued-names = true")

    def log_in(user, cert):
        return client(office.address, alpn="imrp", cert=cert,
                      say=f"AUTH {user} CERTIFICATE\nDONE\n".encode())

    pinned = (a.chain, a.key)
    kept = stranger.certificate(t.work / "kept", ["x"], days="-1", key=a.key)
    issued = pair("issued", "carol", usage="clientAuth")
    proofs = {
        "a listed key": ("dan", pinned, None),
        "a listed key under a stranger's expired certificate": ("dan", kept, None),
        "another's listed key": ("carol", pinned, None),
        "an issued name": ("carol", issued, None),
        "another's issued name": ("dan", issued, None),
        "an issued name that has expired":
            ("carol", pair("late", "carol", usage="clientAuth", days="-1"), "certificate-expired"),
        "a stranger's name": ("carol", pair("user", "carol", by=stranger), "certificate-issuer"),
        "a code signer's name":
            ("carol", pair("coder", "carol", usage="codeSigning"), "certificate-purpose"),
        "nothing": ("carol", None, None),
    }
    good = {"a listed key", "a listed key under a stranger's expired certificate", "an issued name"}
    for what, (user, cert, rule) in proofs.items():
        before = len(office.text())
        heard = log_in(user, cert)
        t.equal(what, ("\nOK" in heard, "FAIL auth" in heard), (what in good, what not in good))
        if rule:
            t.contains(f"{what}: the log tells why", office.text()[before:],
                       "chain-unproved peer=")
            t.contains(f"{what}: the rule", office.text()[before:], f"rule={rule} ")
