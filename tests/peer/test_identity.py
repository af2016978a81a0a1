"""Each row of the table in docs/identity.md: what a certificate proves to the peer, and to
server-receive when the peer shows it; and who does not get through a handshake."""

import re
import ssl

import imdp
import message
import tls
from support import TESTS, Domain, Tests, authority

PAGE = TESTS.parent / "docs" / "identity.md"
ROW = re.compile(r"^\| `(CN=[^`]*)` \| (`[^`]*`|no extension) \| `([^`]*)` \| (yes|no)\b", re.M)


def rows():
    for subject, names, domain, proved in ROW.findall(PAGE.read_text()):
        extension = [] if names == "no extension" else [f"subjectAltName={names.strip('`')}"]
        yield "/" + subject.replace(", ", "/"), extension, domain, proved == "yes"


def offered(t, server, context, domain):
    """What the server says of a message from DOMAIN."""
    with tls.connect(server.address, "b.example", imdp.Client("b.example"), context) as connection:
        connection.event()
        connection.session.offer(message.compose([("from", f"x@{domain}"), ("to", "bob@b.example")]))
        return connection.event()


def table(t, ca, server):
    for at, (subject, extension, domain, proved) in enumerate(rows()):
        chain, key = ca.certificate(t.work / f"row{at}", subject=subject,
                                    extensions=extension)
        what = f"{subject} {extension} {domain}"
        der = ssl.PEM_cert_to_DER_cert(chain.read_text())
        t.equal(f"{what}: the peer", tls.proves(der, domain), proved)
        if domain[0].isdigit():
            continue  # no hostpart, so no message is from there
        answer = offered(t, server, tls.client_context(ca.pem, "imdp", chain, key), domain)
        t.equal(f"{what}: the server", answer[:3],
                ("accepted",) if proved else ("declined", "REJECT", "identity"))


def refused(t, ca, a, b, server):
    """Connections that end in the handshake, or with the first read behind it."""
    def connect(hostpart="b.example", protocol="imdp", chain=a.chain, key=a.key, trusted=ca.pem,
                newest=ssl.TLSVersion.TLSv1_3):
        context = tls.client_context(trusted, protocol, chain, key)
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1_2, newest
        try:
            with tls.connect(server.address, hostpart, imdp.Client("b.example"), context) as c:
                return c.event()[0]
        except ssl.SSLError as error:
            return str(error)

    def purpose(usage):
        return dict(zip(("chain", "key"), ca.certificate(t.work / f"for-{usage}", ["a.example"],
                                                         usage=usage)))

    stranger = authority(t.work / "stranger")
    foreign = stranger.certificate(t.work / "foreign", ["a.example"])
    t.contains("as it should be", connect(), "greeting")
    t.contains("another hostpart", connect("c.example"), "unrecognized name")
    t.contains("another protocol", connect(protocol="imrp"), "no application protocol")
    t.contains("an old version", connect(newest=ssl.TLSVersion.TLSv1_2),
            "protocol version")
    t.contains("no certificate", connect(chain=None), "certificate required")
    t.contains("a stranger's certificate", connect(chain=foreign[0], key=foreign[1]),
            "unknown ca")
    t.contains("a server that strangers vouch for", connect(trusted=stranger.pem),
            "certificate verify failed")
    t.contains("a certificate for clients", connect(**purpose("clientAuth")), "greeting")
    t.contains("a certificate for any purpose", connect(**purpose("")), "greeting")
    t.contains("a certificate for code", connect(**purpose("codeSigning")),
            "unsupported certificate")


with Tests() as t:
    ca = authority(t.work)
    a, b = Domain(t, ca, "a.example"), Domain(t, ca, "b.example")
    b.add_user("bob")
    server = b.start("server-receive")
    table_lines = PAGE.read_text().split("| proved? |\n")[1].split("\n\n")[0].split("\n")[1:]
    t.equal("each row is understood", len(list(rows())), len(table_lines))
    table(t, ca, server)
    refused(t, ca, a, b, server)
