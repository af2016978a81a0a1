"""A sender of IMDP with a mind of its own, for the tests: says any octets, hears lines."""

import contextlib
import hashlib
import socket
import ssl


class Peer:
    """A connection to a receiving server for the hostpart HOST, with the sender's certificate."""

    def __init__(self, address, host, chain, key, ca, timeout=60, session_of=None):
        context = session_of.context if session_of else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_verify_locations(str(ca))
        context.load_cert_chain(str(chain), str(key))
        context.set_alpn_protocols(["imdp"])
        self.context = context
        name, port = address.rsplit(":", 1)
        plain = socket.create_connection((name, int(port)), timeout)
        self.socket = self.secured(plain, host, session_of and session_of.socket.session)
        self.heard = b""
        self.greeting = self.line()

    def secured(self, plain, host, session):
        return self.context.wrap_socket(plain, server_hostname=host, session=session)

    def say(self, octets):
        self.socket.sendall(octets)

    def line(self):
        """The next line; None once the connection has ended."""
        while b"\n" not in self.heard:
            try:
                more = self.socket.recv(65536)
            except (ssl.SSLError, ConnectionError):
                more = b""
            if not more:
                return None
            self.heard += more
        line, self.heard = self.heard.split(b"\n", 1)
        return line.decode()

    def offer(self, header):
        """Offers a header block; returns the answer's lines."""
        self.say(b"MAIL %d\n" % len(header) + header)
        lines = []
        while True:
            lines.append(self.line())
            word = lines[-1] and lines[-1].split(" ", 1)
            if not word or word[0] in ("ACCEPT", "REJECT", "DEFER", "CLOSE") or len(word) == 1:
                return lines

    def deliver(self, header, body, declared=None):
        """Offers and, if accepted, sends the body; returns all lines, to the verdict or the end."""
        lines = self.offer(header)
        if lines[-1] != "ACCEPT":
            return lines
        self.say(b"DATA %d\n" % (len(body) if declared is None else declared) + body)
        while True:
            lines.append(self.line())
            if lines[-1] in (None, "OK", "FAIL", "PARTIAL", "DEFER"):
                return lines

    def half_close(self):
        """Ends our direction without TLS's own end, as a network that breaks does; still hears.

        SSLSocket.shutdown() would throw the TLS state away, and what comes would be ciphertext.
        """
        socket.socket.shutdown(self.socket, socket.SHUT_WR)

    def close(self):
        self.socket.close()


class EndingPeer(Peer):
    """A Peer that can end its direction as TLS does it, and still hears."""

    def secured(self, plain, host, session):
        return MemoryStream(plain, self.context, host)

    def end(self):
        self.socket.end()


class MemoryStream:
    """TLS beside a socket: SSLSocket.unwrap() would read on, and lose what the other side says."""

    def __init__(self, plain, context, host):
        self.plain, self.incoming, self.outgoing = plain, ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=host)
        self.through(self.tls.do_handshake)

    def through(self, call, *words):
        while True:
            try:
                done = call(*words)
                self.flush()
                return done
            except ssl.SSLWantReadError:
                self.flush()
                more = self.plain.recv(65536)
                self.incoming.write(more) if more else self.incoming.write_eof()

    def flush(self):
        self.plain.sendall(self.outgoing.read())

    def sendall(self, octets):
        self.through(self.tls.write, octets)

    def recv(self, most):
        return self.through(self.tls.read, most)

    def end(self):
        with contextlib.suppress(ssl.SSLWantReadError):  # for the other side's end
            self.tls.unwrap()
        self.flush()

    def close(self):
        self.plain.close()


def header(sender, *to, parts=(b"hello\n",), lines=()):
    """A header block from SENDER with TO lines, these further lines, and part lines for PARTS."""
    made = ["ima: 1", f"from: {sender}", *[f"to: {t}" for t in to], *lines]
    for part in parts:
        made.append(f"part: {len(part)} text/plain sha256={hashlib.sha256(part).hexdigest()}")
    return ("\n".join(made) + "\n\n").encode()
