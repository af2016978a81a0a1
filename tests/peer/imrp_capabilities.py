"""Retrieval: what docs/retrieval.md sections 5.10 to 5.17 add, by capabilities, to the two sessions."""

import re

import imrp
import message
from imrp import arguments, counting, flags, identifier, name, role, time, token, wire
from lines import Broken, number

NOTES, QUEUED, MOST = 1000, 10000, 32

ACCEPTED = ("APPEND", "SEND")  # the requests that a body follows, once it is accepted
RESULTS = {"OK", "QUEUED", "FAIL", "DEFER"}
VERDICTS = {"delivered", "queued", "mixed", "refused", "deferred"}


# What may stand in a line

def or_none(meaning):
    """Of a word for which `-` may stand."""
    return lambda text: None if text == "-" else meaning(text)


def searched(text):
    """A criterion's text: written as a folder's name is, but of any form."""
    if not text or re.search("%(?!20|25)", text):
        raise Broken("syntax", "no text to search for")
    return text.replace("%20", " ").replace("%25", "%")


CRITERIA = {"from": searched, "to": searched, "subject": searched, "text": searched,
            "flag": imrp.flag, "no-flag": imrp.flag, "since": time, "before": time,
            "min-size": number, "max-size": number}


def criteria(words):
    if len(words) > MOST:
        raise Broken("syntax", "too many criteria")
    seen = set()
    for word in words:
        key, equals, text = word.partition("=")
        if not equals or key not in CRITERIA or key in seen:
            raise Broken("syntax", f"{word[:80]!r} is no criterion, or one too many")
        CRITERIA[key](text)
        if key in ("since", "before", "min-size", "max-size"):
            seen.add(key)
    return words


def watched(words):
    if len(words) % 2 or len(words) > 128:
        raise Broken("syntax", "folders and tokens, 64 of each at most")
    states = {name(folder): token(since) for folder, since in zip(words[::2], words[1::2])}
    if 2 * len(states) < len(words):
        raise Broken("syntax", "a folder is named twice")
    return states


def real_role(text):
    if text == "-":
        raise Broken("role", "no role is said by nothing at all")
    return role(text)


def options(words):
    """What follows the number of a SEND; the numbers of the parts that do not move."""
    if len(words) > MOST:
        raise Broken("option", "too many options")
    parts, saved = set(), 0
    for word in words:
        key, _, value = word.partition("=")
        found = re.fullmatch("part-(.*)", key)
        if key == "save":
            name(value)
            saved += 1
        elif key in ("answered", "forwarded"):
            arguments(value.rsplit("/", 1), [name, identifier])
        elif found and counting(found[1]) not in parts:
            arguments(value.rsplit("/", 2), [name, identifier, counting])
            parts.add(int(found[1]))
        else:
            raise Broken("option", f"{word[:80]!r} is no option, or one too many")
    if saved > 1:
        raise Broken("option", "save= stands once")
    return parts


def limited(text, limit):
    if number(text) > limit:
        raise Broken("limit", "too many octets")
    return int(text)


def request(word, words):
    """The arguments of a request that no counted octets follow."""
    if word == "CREATE-FOLDER":
        return arguments(words, [name, real_role][:max(1, len(words))])
    if word == "SEARCH":
        return [*arguments(words[:3], [name, or_none(token), counting]), criteria(words[3:])]
    if word == "WATCH":
        return [watched(words)]
    return arguments(words, {"RENAME-FOLDER": [name, name], "DELETE-FOLDER": [name],
                             "QUOTA": [], "QUEUE": []}[word])


def octets_behind(word, words):
    """How many octets follow the line of such a request, each count within its limit."""
    if word == "PASSWORD":
        return [limited(w, imrp.PASSWORD) for w in arguments(words, [str, str])]
    if word == "APPEND":
        arguments(words[:3], [name, flags, or_none(time)])
        return [limited(w, imrp.HEADER) for w in arguments(words[3:], [str])]
    options(words[1:])
    return [limited(w, imrp.HEADER) for w in arguments(words[:1], [str])]


class Server(imrp.Server):
    """More events: ("offered", line, block) for APPEND and SEND, the line without its count, to be
    answered by accept() or as any request; then ("octets", octets) and ("body-end",), or
    ("body-cancelled",). ("password", old, new)."""

    def __init__(self, hostpart, capabilities=()):
        super().__init__(hostpart, capabilities)
        self.counted = None  # reads the octets that are due
        self.expected = None  # octets of the accepted body whose DATA is due
        self.dropping = False  # they belong to a message that was refused
        self.refused = False  # DATA or CANCEL may follow
        self.offered, self.accepted = None, False  # the word of the message in hand
        self.watching, self.changed = {}, {}

    def step(self):
        return self.counted() if self.counted else super().step()

    def at_end(self):
        if self.reader.ended and self.counted:
            self.close("truncated")
            return False
        return super().at_end()

    def knows(self, word):
        return super().knows(word) or word in (
            "CREATE-FOLDER", "RENAME-FOLDER", "DELETE-FOLDER", "SEARCH", "QUOTA", "WATCH", "QUEUE")

    def meaning_of(self, word, words):
        return super().meaning_of(word, words) if super().knows(word) else request(word, words)

    def request(self, text):
        word, *words = text.split(" ")
        if self.expected is not None:
            self.body_line(text)
        elif word in ("DATA", "CANCEL"):
            self.dropped_line(text)
        else:
            self.refused = False
            if word in ("PASSWORD", *ACCEPTED):
                self.read_behind(word, words)
            else:
                super().request(text)

    def read_behind(self, word, words):
        try:
            counts = octets_behind(word, words)
        except Broken as broken:
            raise Broken("request-framing", broken.text) from None

        def all_of_them():
            octets = self.reader.exactly(sum(counts))
            if octets is None:
                return self.at_end()
            self.counted = None
            self.with_octets(word, words, counts, octets)
            return True
        self.counted = all_of_them

    def with_octets(self, word, words, counts, octets):
        if not self.authenticated_user:
            self.say("FAIL state authenticate first")
            self.refused = word in ACCEPTED
            return
        self.busy = word
        if word == "PASSWORD":
            self.report("password", octets[:counts[0]], octets[counts[0]:])
        else:
            self.offered, self.accepted = word, False
            at = 3 if word == "APPEND" else 0
            self.report("offered", word, words[:at], octets, words[at + 1:])

    # A message that is put there or sent

    def accept(self, size):
        self.say("ACCEPT")
        self.busy, self.expected, self.accepted = None, size, True
        self.go_on()

    def body_line(self, text):
        size, self.expected = self.expected, None
        if text == f"DATA {size}":
            self.read_body(size)
        elif text == "CANCEL":
            self.busy = self.offered
            self.report("body-cancelled")
        else:
            raise Broken("request-framing", "not the DATA that was announced, and no CANCEL")

    def dropped_line(self, text):
        """One such line belongs to the message that was refused before it."""
        word, *words = text.split(" ")
        if not self.refused:
            raise Broken("request-framing", "no message was offered")
        self.refused = False
        try:
            size = arguments(words, [number] if word == "DATA" else [])
        except Broken as broken:
            raise Broken("request-framing", broken.text) from None
        self.dropping = True
        self.read_body(*size or [0])

    def read_body(self, left):
        def some():
            nonlocal left
            octets = self.reader.take(left)
            left -= len(octets)
            if octets and not self.dropping:
                self.report("octets", octets)
            if left:
                return bool(octets) or self.at_end()
            self.counted = None
            if not self.dropping:
                self.busy = self.offered
                self.report("body-end")
            self.dropping = False
            return True
        self.counted = some

    def failure(self, reason, text=""):
        self.dropping = self.counted is not None  # in the middle of the body
        super().failure(reason, text)

    # WATCH

    def ok(self, *words):
        if self.busy == "WATCH":
            self.watching = self.asked[0]
        super().ok(*words)

    def answered(self):
        self.refused = self.offered is not None and not self.accepted
        self.offered = None
        self.say_changes()
        super().answered()

    def say_changes(self):
        """Between the answers to two requests."""
        for folder, state in self.changed.items():
            if folder in self.watching:
                self.say("EVENT", wire(folder), state)
        self.changed = {}

    def event(self, folder, state):
        self.changed[folder] = state
        if not self.busy:
            self.say_changes()


# The lines that answer one request alone, with what follows their word; the last word of a text may
# be anything.
LINES = {
    "ACCEPT": (ACCEPTED, []),
    "FOUND": (["SEARCH"], [identifier]),
    "QUEUED": (["QUEUE"], [identifier, message.address, time, or_none(time), "text"]),
    "RESULT": (["SEND"], [str, message.address, "text"]),
    "NOTE": (["SEND"], [or_none(message.hostpart), "text"]),
}


def meaning(words, grammar):
    if not grammar or grammar[-1] != "text":
        return arguments(words, grammar)
    fixed = len(grammar) - 1
    return [*arguments(words[:fixed], grammar[:-1]), " ".join(words[fixed:])]


class Client(imrp.Client):
    """More events: ("accepted",), ("found", id), ("queued", id, address, since, next, text),
    ("outcome", word, address, text), ("note", host, text), ("event", folder, token); and at the end
    of requests ("id", id), ("cursor", token), ("quota", octets, most, messages, most), ("verdict",
    word, id)."""

    def __init__(self, hostpart):
        super().__init__(hostpart)
        self.watching = {}

    def plain_request(self, word, *words):
        self.ask(imrp.Asked(word), *words)

    def create_folder(self, folder, *its_role):
        self.plain_request("CREATE-FOLDER", wire(folder), *its_role)

    def rename_folder(self, folder, target):
        self.plain_request("RENAME-FOLDER", wire(folder), wire(target))

    def delete_folder(self, folder):
        self.plain_request("DELETE-FOLDER", wire(folder))

    def quota(self):
        self.plain_request("QUOTA")

    def queue(self):
        self.ask(imrp.Asked("QUEUE", page=QUEUED))

    def search(self, folder, cursor, page, *wanted):
        self.ask(imrp.Asked("SEARCH", page=page), wire(folder), cursor or "-", page, *wanted)

    def watch(self, states):
        asked = imrp.Asked("WATCH")
        asked.states = states
        self.ask(asked, *(w for folder, state in states.items() for w in (wire(folder), state)))

    def password(self, old, new):
        self.plain_request("PASSWORD", len(old), len(new))
        self.output += old + new

    def append(self, folder, its_flags, arrival, block):
        self.offer("APPEND", block, set(), [wire(folder), ",".join(its_flags) or "-", arrival or "-"],
                   [])

    def send(self, block, *wanted):
        self.offer("SEND", block, options(wanted), [], wanted)

    def offer(self, word, block, left_out, before, behind):
        offered = imrp.Asked(word, page=NOTES)
        header = message.parse(block)
        offered.size = sum(p.size for at, p in enumerate(header.parts, 1) if at not in left_out)
        offered.left = None  # of the body, once it was announced
        offered.accepted = offered.judged = False
        offered.recipients = {a.folded() for a in header.recipients}
        self.latest = offered
        self.ask(offered, *before, len(block), *behind)
        self.output += block

    def body(self, octets):
        if self.latest.left is None:
            self.latest.left = self.latest.size
            self.say("DATA", str(self.latest.size))
        self.latest.left -= len(octets)
        self.output += octets

    def cancel(self):
        self.say("CANCEL")

    # What the server says

    def unasked(self, text):
        if not text.startswith("EVENT "):
            super().unasked(text)
        self.event(text.split(" ")[1:])

    def line(self, text):
        word, *words = text.split(" ")
        asked = self.asked[0]
        if word == "EVENT" and not getattr(asked, "begun", False):
            self.event(words)
            return
        asked.begun = True
        if word == "EVENT":
            raise Broken("reply-order", "an event inside an answer")
        if word in LINES:
            self.more(asked, word, words)
        else:
            super().line(text)

    def event(self, words):
        try:
            folder, state = arguments(words, [name, token])
        except Broken as broken:
            raise Broken("reply-syntax", str(broken)) from None
        if folder not in self.watching:
            raise Broken("reply-order", "nobody watches this folder")
        self.report("event", folder, state)

    def more(self, asked, word, words):
        requests, grammar = LINES[word]
        try:
            values = meaning(words, grammar)
        except Broken as broken:
            raise Broken("reply-syntax", str(broken)) from None
        if asked.word not in requests:
            raise Broken("reply-order", f"{word} does not answer {asked.word}")
        {"ACCEPT": self.accepted, "FOUND": self.counted_line("found"),
         "QUEUED": self.counted_line("queued"), "RESULT": self.outcome,
         "NOTE": self.note}[word](asked, *values)

    def accepted(self, asked):
        if asked.accepted or asked.judged:
            raise Broken("reply-order", "ACCEPT is said once, and first")
        asked.accepted = True
        self.report("accepted")

    def counted_line(self, event):
        def report(asked, *values):
            self.count_line(asked)
            self.report(event, *values)
        return report

    def outcome(self, asked, word, who, text):
        if word not in RESULTS:
            raise Broken("reply-syntax", f"{word[:80]!r} is no result")
        if who.folded() not in asked.recipients:
            raise Broken("reply-order", "nobody of this message, or one who had his result")
        asked.recipients.remove(who.folded())
        asked.judged = True
        self.report("outcome", word, who, text)

    def note(self, asked, host, text):
        self.count_line(asked)
        asked.judged = True
        self.report("note", host, text)

    def finished(self, words):
        asked = self.asked[0]
        if asked.word in ACCEPTED and asked.accepted and asked.left != 0:
            raise Broken("reply-order", "OK before the body was there")
        if asked.word == "APPEND" and not asked.accepted:
            raise Broken("reply-order", "OK without ACCEPT")
        if asked.word == "WATCH" and not words:
            self.watching = asked.states
        super().finished(words)

    def end_of(self, word, words):
        if word == "APPEND":
            return ("id", *arguments(words, [identifier]))
        if word == "SEARCH" and words:
            return ("cursor", *arguments(words, [token]))
        if word == "SEND":
            verdict, which = arguments(words, [str, or_none(identifier)])
            if verdict not in VERDICTS:
                raise Broken("reply-syntax", f"{verdict[:80]!r} is no verdict")
            return ("verdict", verdict, which)
        if word == "QUOTA":
            return ("quota", *self.most("size", words[0]), *self.most("messages", words[1]))
        return super().end_of(word, words)

    @staticmethod
    def most(key, word):
        found, _, values = word.partition("=")
        if found != key:
            raise Broken("reply-syntax", f"{key}= is missing")
        return arguments(values.split("/"), [number, or_none(number)])
