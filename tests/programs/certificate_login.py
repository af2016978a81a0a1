"""A user proves himself to the post office by his key, or by what the operator issued for him."""

from harness import Authority, Domain, Tests, authority, run, openssl

with Tests() as t:
    ca = authority(t.work)
    users_ca = Authority(t.work / "users-ca")
    b = Domain(t, ca, "b.example")
    bob = b.add_user("bob")
    pinned, pinned_key = ca.certificate(b.place / "pinned", ["laptop.b.example"])
    public = openssl("x509", "-in", pinned, "-noout", "-pubkey").out
    (b.place / "public.pem").write_text(public)
    openssl("pkey", "-pubin", "-in", b.place / "public.pem", "-outform", "DER", "-out",
            b.place / "public.der")
    key = openssl("dgst", "-sha256", "-r", b.place / "public.der").out.split()[0]

    def certificate(*words):
        return b.admin("user", "certificate", "bob", *words, "--users", b.place / "users.toml")

    def proofs():
        return b.admin("user", "list", "--users", b.place / "users.toml").out.split()[2]

    certificate("--add", pinned)
    t.equal("his key is listed, once however often it is added",
            (certificate("--add", pinned).code, proofs()), (0, "password,keys=1"))
    office = b.start("server-post-office")
    given = run(t.program("server-give-recipient"), bob, "-", "bob@b.example",
                stdin=b.message("--to", "bob@b.example", "--subject", "Hi"))
    t.equal("given", given.code, 0)

    def fetch(name, chain, secret, proved):
        settings = (f'host = "b.example"\nuser = "bob"\ncertificate-name = "{proved}"\n'
                    f"{b.host_table(b.office_hosts)}"
                    f'[tls]\nsystem-store = false\nca-file = "{ca.pem}"\n'
                    f'[[tls.certificate]]\nchain = "{chain}"\nkey = "{secret}"\n')
        return run(t.program("fetch-mail"), "--config", b.write(f"{name}.toml", settings),
                   b.place / name)

    done = fetch("by-key", pinned, pinned_key, "laptop.b.example")
    t.equal("by his key", (done.code, done.out[-4:]), (0, " Hi\n"))
    other, other_key = ca.certificate(b.place / "other", ["laptop.b.example"])
    done = fetch("by-other-key", other, other_key, "laptop.b.example")
    t.equal("another key with the same name", done.code, 1)
    t.contains("another key with the same name", done.err, "[auth]")
    certificate("--add", other, "--remove", key)
    t.equal("his new key", fetch("by-new-key", other, other_key, "laptop.b.example").code, 0)
    t.equal("in place of the old", (fetch("by-key", pinned, pinned_key, "laptop.b.example").code,
                                    proofs()), (1, "password,keys=1"))
    missing = run(t.program("ima-admin"), "user", "certificate", "bob", "--remove", key, "--users",
                  b.place / "users.toml")
    t.equal("a key that he does not have", (missing.code, "[not-listed]" in missing.err), (1, True))
    none = b.write("none.pem", "no certificate\n")
    refused = run(t.program("ima-admin"), "user", "certificate", "bob", "--add", none, "--users",
                  b.place / "users.toml")
    t.equal("a file without a certificate", (refused.code, refused.err.startswith(f"ima-admin: {none}: ")),
            (65, True))
    t.equal("an orderly end", office.stop(), 0)

    # The operator's authority, which issues for users and nobody else.
    certificate("--issued", "yes")
    t.equal("what is issued for him counts", proofs(), "password,keys=1,issued-certificate")
    b.ca = users_ca
    office = b.start("server-post-office", "trust-issued-names = true")
    for name, granted in {"bob": 0, "eve": 1}.items():
        chain, secret = users_ca.certificate(b.place / f"{name}-issued", [name], usage="clientAuth")
        done = fetch(f"by-{name}", chain, secret, name)
        t.equal(f"issued for {name}", done.code, granted)
    forged, forged_key = ca.certificate(b.place / "forged", ["bob"], usage="clientAuth")
    t.equal("issued by another authority", fetch("by-forged", forged, forged_key, "bob").code, 1)
    certificate("--issued", "no")
    t.equal("until it does not", fetch("by-bob", b.place / "bob-issued.pem", b.place / "bob-issued.key",
                                       "bob").code, 1)
    t.equal("an orderly end again", office.stop(), 0)
