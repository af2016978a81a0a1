"""A small post office: it serves one folder with messages that never change, to one user.

What a real one adds is a store behind it; what is said on the wire is docs/retrieval.md."""

import message


class Office:
    """MESSAGES is a list of (record, whole message); the record may be no octets at all."""

    def __init__(self, who, password, messages):
        self.who, self.password = who, password
        self.messages = {}
        for seq, (record, whole) in enumerate(messages, 1):
            header, bodies = message.split(whole)
            self.messages[header.digest] = (seq, len(whole), header, bodies, record)

    def serve(self, connection):
        """Answers one client until the connection is over."""
        server = connection.session
        while (event := connection.event())[0] not in ("closed",):
            if event[0] == "auth":
                self.judge(server, *event[1:])
            else:
                self.answer(server, *event[1:3])
            connection.flush()

    def judge(self, server, who, password):
        if (who, password) == (self.who, self.password):
            server.authenticated()
        else:
            server.failure("auth", "wrong user name or proof")

    def answer(self, server, word, arguments):
        handler = getattr(self, word.lower(), None)
        if handler is None:
            server.failure("unsupported", "this post office only hands out")
        elif word != "FOLDERS" and arguments[0] != "inbox":
            server.failure("no-folder")
        else:
            handler(server, *arguments)

    def folders(self, server):
        server.say("FOLDER inbox inbox")
        server.ok()

    def status(self, server, folder):
        count, size = len(self.messages), sum(m[1] for m in self.messages.values())
        server.ok(f"messages={count}", f"unseen={count}", f"size={size}", f"token=1.{count}")

    def changes(self, server, folder, token, page):
        last = 0 if token == "0" else int(token.removeprefix("1."))
        behind = [(which, m) for which, m in self.messages.items() if m[0] > last]
        for which, (seq, size, *_) in behind[:page]:
            server.say("+", which, str(seq), str(size), "-", "2026-11-23T09:30:02Z")
            last = seq
        server.ok(f"1.{last}", *(["more"] if len(behind) > page else []))

    def headers(self, server, folder, ids):
        for which in ids:
            if which in self.messages:
                _, _, header, _, record = self.messages[which]
                server.header(which, header.octets(), record)
            else:
                server.say("GONE", which)
        server.ok()

    def fetch(self, server, folder, which, part, offset, length):
        if which not in self.messages:
            server.failure("no-message")
            return
        bodies = self.messages[which][3]
        if part > len(bodies) or offset > len(bodies[part - 1]):
            server.failure("no-part" if part > len(bodies) else "range")
            return
        octets = bodies[part - 1][offset:]
        octets = octets if length is None else octets[:length]
        server.part(offset, len(octets))
        server.octets(octets)
        server.ok()
