"""The peer plays every transcript of delivery, in both roles."""

import imdp
import message
import transcripts
from support import Tests


class Delivery(transcripts.Player):
    """The words of tests/transcripts/delivery/README.md."""

    def __init__(self, side):
        super().__init__(side)
        server = side == "S"
        self.session = imdp.Server("b.example", 1000) if server else imdp.Client("b.example")

    def reports(self):
        events, self.session.events = self.session.events, type(self.session.events)()
        return [self.words(*e) for e in events if e[0] != "octets"]

    def words(self, kind, *values):
        if kind == "offered":
            return kind
        if kind == "results":
            return " ".join([kind, *(f"{a}={word}" for a, word in values[0])])
        if kind == "greeting":
            return " ".join([kind, str(values[0]), *values[1]])
        return " ".join([kind, *(str(v) for v in values if v != "")])

    def decide(self, word, *rest):
        session, rest = self.session, list(rest)
        if word == "offer":
            session.offer(transcripts.octets(" ".join(rest)))
        elif word == "body":
            session.body(transcripts.octets(" ".join(rest)))
        elif word in ("already", "unknown"):
            session.line_about({"already": "OK", "unknown": "NORECIPIENT"}[word],
                               message.address(rest[0]))
        elif word in ("reject", "defer"):
            session.refuse(word.upper(), rest[0], " ".join(rest[1:]))
        elif word == "result":
            session.result(rest[0], message.address(rest[1]), " ".join(rest[2:]))
        elif word == "note":
            session.note(" ".join(rest))
        elif word == "abandon":
            session.give_up("DEFER", " ".join(rest[1:]) + " [handler]")
        else:  # accept, verdict, conclude, lapse, stop, data, cancel, done
            getattr(session, word)(*rest)

    @staticmethod
    def words_before_text(line):
        """The words of a server's line that every implementation says alike."""
        words = line.split(" ")
        if words[0] in ("CLOSE", "NOTE"):
            return words[0]
        return " ".join(words[:2]) if words[0] in ("REJECT", "DEFER", "OK", "FAIL") else None


with Tests() as t:
    transcripts.play_all(t, "delivery", Delivery)
