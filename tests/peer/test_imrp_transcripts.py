"""The peer plays every transcript of retrieval, in both roles, with capabilities and without."""

import imrp
import imrp_capabilities
import transcripts
from support import Tests
from transcripts import escaped, octets


def text_of(given):
    return escaped(given) or "-"


def given(text):
    return b"" if text == "-" else octets(text)


class Retrieval(transcripts.Player):
    """The words of tests/transcripts/retrieval/README.md."""

    def __init__(self, side):
        super().__init__(side)
        role = imrp.Server if side == "S" else imrp.Client
        self.session = role("b.example")

    def reports(self):
        events, self.session.events = self.session.events, type(self.session.events)()
        return [" ".join(self.words(*e)) for e in events]

    def words(self, kind, *values):
        if kind == "auth":
            who, password = values
            return [kind, who, *(["certificate"] if password is None
                                 else ["password", text_of(password)])]
        if kind == "request":
            word, meaning, text = values
            return [self.fetch_words(*meaning) if word == "FETCH" else text]
        if kind == "greeting":
            return [kind, *values[0]]
        if kind == "folder":
            return [kind, values[0], imrp.wire(values[1])]
        if kind == "entry":
            return [kind, *map(str, values[:3]), ",".join(values[3]) or "-", values[4]]
        if kind == "header":
            return [kind, values[0], *map(text_of, values[1:])]
        if kind == "octets":
            return [kind, escaped(values[0])]
        if kind == "token":
            return [kind, values[0], *(["more"] if values[1] else [])]
        return [kind, *(str(v) for v in values if v != "")]

    @staticmethod
    def fetch_words(folder, which, part, offset, length):
        return f"FETCH {imrp.wire(folder)} {which} {part} {offset} " + \
            ("end" if length is None else str(length))

    def decide(self, word, *rest):
        if self.side == "S":
            self.answer(word, *rest)
        else:
            self.request(word, *rest)

    def answer(self, word, *rest):
        session = self.session
        lines = {"folder": "FOLDER", "entry": "+", "absent": "-", "gone": "GONE",
                 "changed": "CHANGED", "copied": "COPIED"}
        if word in lines:
            session.say(lines[word], *rest)
        elif word == "header":
            session.header(rest[0], given(rest[1]), given(rest[2]))
        elif word == "part":
            session.part(*map(int, rest))
        elif word == "octets":
            session.octets(octets(rest[0]))
        elif word == "fail":
            session.failure(rest[0], " ".join(rest[1:]))
        elif word == "status":
            keys = ("messages", "unseen", "size", "token")
            session.ok(*(f"{k}={v}" for k, v in zip(keys, rest)))
        elif word == "token":
            session.ok(*rest)
        else:  # authenticated, broken, ok, shut-down, time-out
            getattr(session, word.replace("-", "_"))()

    def request(self, word, *rest):
        session = self.session
        if word == "auth":
            session.auth(rest[0], octets(rest[1]))
        elif word == "flag":
            folder, which, seq, *changes = rest
            session.flag(imrp.name(folder), [which], changes, None if seq == "-" else seq)
        elif word == "changes":
            session.changes(imrp.name(rest[0]), rest[1], int(rest[2]))
        elif word == "fetch":
            session.fetch(imrp.name(rest[0]), rest[1], *map(int, rest[2:]))
        elif word in ("move", "copy"):
            getattr(session, word)(imrp.name(rest[0]), imrp.name(rest[1]), *rest[2:])
        elif word in ("status", "headers", "delete"):
            getattr(session, word)(imrp.name(rest[0]), *rest[1:])
        else:  # certificate, folders, done
            getattr(session, word)(*rest)

    @staticmethod
    def words_before_text(line):
        """The words of a server's line that every implementation says alike."""
        words = line.split(" ")
        return " ".join(words[:2]) if words[0] in ("FAIL", "DEFER") else None


class Capabilities(Retrieval):
    """And the words for what capabilities announce."""

    def __init__(self, side):
        super().__init__(side)
        role = imrp_capabilities.Server if side == "S" else imrp_capabilities.Client
        self.session = role("b.example")

    def words(self, kind, *values):
        if kind == "offered":
            word, before, block, behind = values
            return [word, *before, text_of(block), *behind]
        if kind == "password":
            return [kind, *map(text_of, values)]
        if kind == "event":
            return [kind, imrp.wire(values[0]), values[1]]
        if kind in ("queued", "outcome", "note", "quota", "verdict"):
            return [kind, *("-" if v in (None, "") else str(v) for v in values)]
        return super().words(kind, *values)

    def answer(self, word, *rest):
        session = self.session
        said = ["" if r == "-" else r for r in rest]
        lines = {"found": "FOUND", "outcome": "RESULT", "note": "NOTE"}
        if word in lines:
            session.say(lines[word], *said)
        elif word == "queued":
            session.say("QUEUED", *rest[:4], *said[4:])
        elif word == "accept":
            session.accept(int(rest[0]))
        elif word == "quota":
            session.ok(*(f"{key}={used}/{most}" for key, used, most in
                         (("size", *rest[:2]), ("messages", *rest[2:]))))
        elif word == "verdict":
            session.ok(*rest)
        elif word in ("id", "cursor"):
            session.ok(*said)
        elif word == "event":
            session.event(imrp.name(rest[0]), rest[1])
        else:
            super().answer(word, *rest)

    def request(self, word, *rest):
        session = self.session
        if word in ("create-folder", "rename-folder", "delete-folder"):
            names = [imrp.name(r) for r in rest[:1 if word == "create-folder" else 2]]
            getattr(session, word.replace("-", "_"))(*names, *rest[len(names):])
        elif word == "search":
            session.search(imrp.name(rest[0]), rest[1], int(rest[2]), *rest[3:])
        elif word == "watch":
            session.watch(dict(zip(map(imrp.name, rest[::2]), rest[1::2])))
        elif word == "password":
            session.password(*map(given, rest))
        elif word == "append":
            session.append(imrp.name(rest[0]), imrp.flags(rest[1]), rest[2], given(rest[3]))
        elif word == "send":
            session.send(given(rest[0]), *rest[1:])
        elif word == "body":
            session.body(given(rest[0]))
        else:  # cancel, quota, queue and the others
            super().request(word, *rest)


with Tests() as t:
    transcripts.play_all(t, "retrieval", Retrieval)
    transcripts.play_all(t, "retrieval", Capabilities)
    transcripts.play_all(t, "retrieval-capabilities", Capabilities)
