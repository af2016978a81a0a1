"""ima-admin check-certificate says whether a chain proves a domain, and by which rules."""

from harness import Tests, authority, openssl, run

with Tests() as t:
    ca = authority(t.work)
    other = authority(t.work / "other")
    good, good_key = ca.certificate(t.work / "good", ["b.example", "*.w.example"])
    client, _ = ca.certificate(t.work / "client", ["b.example"], usage="clientAuth")
    expired, _ = ca.certificate(t.work / "expired", ["b.example"], days="-1")
    named, _ = ca.certificate(t.work / "named", subject="/CN=b.example")

    def check(chain, domain, *words, peer="server"):
        words = words or ("--no-system-store", "--ca", ca.pem)
        return run(t.program("ima-admin"), "check-certificate", "--peer", peer, *words, chain, domain)

    def refused(what, rule, done):
        t.equal(what, done.code, 1)
        t.true(what + ": the last line", done.lines()[-1].startswith("refused: ")
               and done.lines()[-1].endswith(f" [{rule}]"), done.out)
        t.true(what + ": its step", any(line.split()[:2] == ["bad", rule] for line in done.lines()),
               done.out)

    done = check(good, "b.example")
    t.equal("it proves its name", (done.code, done.lines()[-1]), (0, "proved: b.example"))
    t.true("every step says how it went",
           {line.split()[0] for line in done.lines()[2:-1]} == {"good", "skipped"}, done.out)
    key = openssl("pkey", "-in", good_key, "-pubout", "-outform", "DER", "-out", t.work / "key.der")
    sum_of_key = run("sha256sum", t.work / "key.der").out.split()[0]
    t.contains("it tells the key's digest", done.out, f"key {sum_of_key}\n")
    t.equal("a wildcard", check(good, "m.w.example").code, 0)
    t.equal("as a client", check(good, "b.example", peer="client").code, 0)
    t.equal("in a person's letters", check(good, "B.Example").code, 0)
    refused("another domain", "identity", check(good, "c.example"))
    refused("an expired one", "certificate-expired", check(expired, "b.example"))
    refused("a client's, as a server's", "certificate-purpose", check(client, "b.example"))
    t.equal("a client's", check(client, "b.example", peer="client").code, 0)
    refused("another authority", "certificate-issuer",
            check(good, "b.example", "--no-system-store", "--ca", other.pem))
    refused("the system's store", "certificate-issuer", check(good, "b.example", "--common-name",
                                                              "fallback"))
    refused("no authority", "certificate-issuer", check(good, "b.example", "--no-system-store"))
    own = ("--no-system-store", "--ca", ca.pem)
    t.equal("a commonName", check(named, "b.example").code, 0)
    refused("no commonName", "identity", check(named, "b.example", *own, "--common-name", "never"))

    lists = t.work / "lists"
    lists.mkdir()
    ca.revoke([good], lists / "list.pem")
    refused("a revoked one", "certificate-revoked", check(good, "b.example", *own, "--crl", lists))
    t.equal("another one", check(named, "b.example", *own, "--crl", lists / "list.pem").code, 0)
    other.revoke([], lists / "list.pem")
    refused("no list of the issuer's", "certificate-revocation",
            check(named, "b.example", *own, "--crl", lists))

    evil, _ = ca.certificate(t.work / "evil", ["c.example"], subject="/CN=\x1b[2Jevil")
    done = check(evil, "b.example")
    t.true("what the certificate says cannot drive a terminal", "\x1b" not in done.out, done.out)

    t.equal("no such file", check(t.work / "none.pem", "b.example").code, 66)
    t.equal("no certificate in it", check(good_key, "b.example").code, 65)
    t.equal("no hostpart", check(good, "192.0.2.1").code, 64)
    t.equal("no authorities in it", check(good, "b.example", "--ca", good_key).code, 78)
    for words in (("--no-system-store", "--ca", t.work / "none.pem"),
                  (*own, "--crl", t.work / "none.pem")):
        done = check(good, "b.example", *words)
        t.equal(f"no file for {words[-2]}", done.code, 78)
        t.contains(f"no file for {words[-2]}, in words", done.err, "none.pem: No such file or directory [")
    t.equal("no such role", check(good, "b.example", peer="friend").code, 64)
