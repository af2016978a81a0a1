"""TLS as docs/identity.md asks for it, with Python's ssl; and the domains a certificate proves.

What Python's ssl cannot do is done by `openssl s_server` (class Receiver): to verify a *client's*
certificate for the purpose of a server (section 3). Left out: the alert `no_application_protocol` of
Python's side (it closes instead), two stores that are verified apart (only the administrator's file is
used), revocation lists, and SNI in Receiver, as s_server forgets ALPN where it looks at SNI.
"""

import os
import re
import signal
import socket
import ssl
import subprocess
import tempfile

import der
import message
from lines import Broken


MISSING_EXTENSION = 109  # an alert that Python's ssl has no name for


# Section 2

def names(certificate):
    """The names of a certificate (DER) that may prove something."""
    alternative, common = der.names(certificate)
    if alternative is not None:
        return [n for n in map(folded, alternative) if is_name(n)]
    if len(common) == 1 and "." in common[0]:
        return [n for n in map(folded, common) if is_name(n) and "*" not in n]
    return []


def folded(name):
    return "".join(c.lower() if c.isascii() else c for c in name)


def is_name(name):
    """A hostpart, or `*.` before one that is no top-level domain."""
    host = name.removeprefix("*.")
    try:
        message.hostpart(host)
    except Broken:
        return False
    return host == name or "." in host


def proves(certificate, domain):
    """Rule 6."""
    covering = "*." + domain.partition(".")[2]
    return any(name in (domain, covering) for name in names(certificate))


# Section 1

def client_context(ca_file, protocol, chain=None, key=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False  # section 2: the names are looked at here, not by OpenSSL
    context.set_ciphers("DEFAULT:@SECLEVEL=2")
    context.load_verify_locations(ca_file)
    context.set_alpn_protocols([protocol])
    if chain:
        context.load_cert_chain(chain, key)
    return context


class Connection:
    """A connection that a session speaks over. What was said is sent before anything is awaited."""

    def __init__(self, stream, session):
        self.stream, self.session = stream, session

    def flush(self):
        if self.session.output:
            self.stream.sendall(bytes(self.session.output))
            self.session.output.clear()

    def event(self):
        """The session's next event."""
        while not self.session.events:
            self.flush()
            octets = self.stream.recv(65536)
            if octets:
                self.session.feed(octets)
            else:
                self.session.end()
        return self.session.events.popleft()

    def close(self):
        self.flush()
        self.stream.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def connect(where, hostpart, session, context):
    """Connects to host:port and proves that HOSTPART is there; a connection for the session."""
    host, port = where.rsplit(":", 1)
    plain = socket.create_connection((host, int(port)), timeout=60)
    stream = context.wrap_socket(plain, server_hostname=hostpart, suppress_ragged_eofs=False)
    try:
        if stream.selected_alpn_protocol() is None:
            raise Broken("tls-alpn", "the server did not choose the protocol")
        if not proves(stream.getpeercert(binary_form=True), hostpart):
            raise Broken("identity", f"the server does not prove {hostpart}")
    except Broken:
        stream.close()
        raise
    return Connection(Orderly(stream), session)


class Orderly:
    """A TLS stream that is ended by close_notify, and whose end without one is an error."""

    def __init__(self, stream):
        self.stream = stream
        self.sendall, self.recv = stream.sendall, stream.recv

    def close(self):
        try:
            self.stream.unwrap()
        except (OSError, ssl.SSLError):
            pass  # the other side had hung up already
        self.stream.close()


def server_context(protocol, chain, key, hostpart):
    """For a server that asks for no certificate of its clients."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    context.load_cert_chain(chain, key)
    context.set_alpn_protocols([protocol])

    def served(stream, name, context):
        if name is None:
            return MISSING_EXTENSION
        return None if name == hostpart else ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
    context.sni_callback = served
    return context


def accept(listener, session, context):
    """The next client's connection."""
    plain, _ = listener.accept()
    plain.settimeout(60)
    stream = context.wrap_socket(plain, server_side=True, suppress_ragged_eofs=False)
    if stream.selected_alpn_protocol() is None:
        stream.close()
        raise Broken("tls-alpn", "the client does not speak this protocol")
    return Connection(Orderly(stream), session)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Receiver:
    """One connection of an IMDP server, by `openssl s_server`.

    Python's ssl verifies a client for the purpose of a client only; a sending server shows the
    certificate of a server. `openssl` can be told the purpose. The client's certificate is read
    from its listing of the handshake.
    """

    def __init__(self, chain, key, ca_file):
        self.port = free_port()
        self.messages = tempfile.NamedTemporaryFile(prefix="handshake")
        self.process = subprocess.Popen(
            ["openssl", "s_server", "-accept", f"127.0.0.1:{self.port}", "-naccept", "1", "-quiet",
             "-tls1_3", "-alpn", "imdp", "-num_tickets", "0",
             "-cert", chain, "-key", key,
             "-Verify", "10", "-verify_return_error", "-purpose", "sslserver", "-auth_level", "2",
             "-no-CApath", "-no-CAstore", "-CAfile", ca_file,
             "-msg", "-msgfile", self.messages.name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def peer_certificate(self):
        """DER; RFC 8446 section 4.4.2 says where the leaf stands in a Certificate message."""
        listing = open(self.messages.name).read()
        found = re.search(r"^<<< .*, Certificate\n((?:    .*\n)*)", listing, re.M)
        octets = bytes.fromhex(found[1]) if found else b""
        size = int.from_bytes(octets[8:11], "big")
        return octets[11:11 + size]

    # A stream, as Connection wants it.

    def sendall(self, octets):
        self.process.stdin.write(octets)
        self.process.stdin.flush()

    def recv(self, most):
        return os.read(self.process.stdout.fileno(), most)

    def close(self):
        """The client ends first, or else it is cut off."""
        try:
            self.process.wait(2)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGKILL)
        self.process.communicate()
