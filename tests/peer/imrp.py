"""Retrieval: docs/retrieval.md, as two sessions without input or output.

Of section 5 this is AUTH, FOLDERS, STATUS, CHANGES, HEADERS, FETCH, DELETE, MOVE, COPY, FLAG and
DONE: version 1 without capabilities. Those of the capabilities are in imrp_capabilities.py.
"""

import collections
import re

import message
from lines import Broken, for_people, number
from session import Session

LINE, REQUEST_LINE, PASSWORD, HEADER, FAILURES = 4096, 131072, 1024, 262144, 3

# Section 4
WORD = "[!-~\u00a0-\U0010ffff]"
USER = re.compile(f"{WORD}{{1,128}}")
ID = re.compile("[a-z0-9][a-z0-9-]{0,127}")
TOKEN = re.compile("[A-Za-z0-9.-]{1,64}")
FLAG = re.compile("[a-z][a-z0-9._-]{0,31}")
ROLES = {"inbox", "sent", "drafts", "archive", "junk", "trash"}

# Section 7
FAIL = {"framing", "syntax", "command", "state", "auth", "no-folder", "no-message", "no-part",
        "range", "resync", "limit", "quota", "unsupported", "folder-exists", "folder-role",
        "folder-in-use", "header", "damaged", "cancelled", "from", "recipients"}
DEFER = {"in-progress", "busy", "storage", "shutdown", "internal"}


def wire(folder):
    """A folder's name as it stands on the wire."""
    return folder.replace("%", "%25").replace(" ", "%20")


def name(text):
    """The name that a folder on the wire stands for."""
    if re.search("%(?!20|25)", text):
        raise Broken("folder", "'%' stands only in %20 and %25")
    found = text.replace("%20", " ").replace("%25", "%")
    if not 1 <= len(found.encode()) <= 255:
        raise Broken("folder", "a folder's name has 1 to 255 octets")
    if any(component in ("", ".", "..") for component in found.split("/")):
        raise Broken("folder", "a component is empty, '.' or '..'")
    return found


def user(text):
    if not USER.fullmatch(text) or len(text.encode()) > 128:
        raise Broken("user", "no user name")
    return text


def matching(pattern, rule):
    def check(text):
        if not pattern.fullmatch(text):
            raise Broken(rule, f"{text[:80]!r} is malformed")
        return text
    return check


identifier, token, flag = matching(ID, "id"), matching(TOKEN, "token"), matching(FLAG, "flag")


def counting(text):
    """A number that is not 0."""
    if text == "0":
        raise Broken("number", "counting begins at 1")
    return number(text)


def time(text):
    message.date(text)
    if not text.endswith("Z"):
        raise Broken("date-syntax", "a time is in UTC")
    return text


def flags(text):
    return [] if text == "-" else [flag(f) for f in text.split(",")]


def role(text):
    if text not in ROLES | {"-"}:
        raise Broken("role", f"{text!r} is no role")
    return text


# What follows the word of a request; `ids` is one or more to the end of the line.
REQUESTS = {
    "DONE": [], "FOLDERS": [], "STATUS": [name], "CHANGES": [name, token, counting],
    "HEADERS": [name, "ids"], "DELETE": [name, "ids"], "MOVE": [name, name, "ids"],
    "COPY": [name, name, "ids"],
}
# What follows the word of a reply line.
REPLIES = {
    "FOLDER": [role, name], "+": [identifier, number, number, flags, time], "-": [identifier],
    "HEADER": [identifier, number, number], "GONE": [identifier], "CHANGED": [identifier],
    "COPIED": [identifier, identifier], "PART": [identifier, number, number, number],
}


def arguments(words, grammar):
    """The meaning of each word; `ids` becomes a list."""
    if grammar and grammar[-1] == "ids":
        fixed = len(grammar) - 1
        ids = [identifier(w) for w in words[fixed:]]
        if not ids:
            raise Broken("id", "no message is named")
        return [*arguments(words[:fixed], grammar[:-1]), ids]
    if len(words) != len(grammar):
        raise Broken("syntax", f"{len(grammar)} words were expected")
    return [meaning(word) for meaning, word in zip(grammar, words)]


def request(word, words):
    """Section 5: the arguments of a request, AUTH apart."""
    if word == "FETCH":
        few = arguments(words[:3], [name, identifier, counting])
        return few + (arguments(words[3:], [number, number]) if words[3:] else [0, None])
    if word == "FLAG":
        return flag_request(words)
    return arguments(words, REQUESTS[word])


def flag_request(words):
    """`if-seq=` is last; the flags begin with the first word that has a sign."""
    if_seq = None
    if words and words[-1].startswith("if-seq="):
        *words, last = words
        if_seq = number(last.removeprefix("if-seq="))
    first = next((at for at, word in enumerate(words) if word[:1] in ("+", "-")), len(words))
    changes = words[first:]
    if not 1 <= len(changes) <= 64 or any(c[:1] not in ("+", "-") for c in changes):
        raise Broken("syntax", "1 to 64 flags, each with its sign")
    if len({flag(c[1:]) for c in changes}) < len(changes):
        raise Broken("syntax", "a flag is named twice")
    return [*arguments(words[:first], [name, "ids"]), changes, if_seq]


class Server(Session):
    """A post office's side of one connection.

    Events: ("auth", user, password), where the password is None for a certificate; ("request",
    word, arguments, text); ("closed",) or ("closed", rule). Each is answered by reply lines, if
    any, and then ok(), authenticated() or failure().
    """

    def __init__(self, hostpart, capabilities=()):
        super().__init__()
        self.authenticated_user = None
        self.failures = 0
        self.proof = None  # user and octets of the password that are being read
        self.busy = None  # the word of the request in hand
        self.stopping = False
        self.say("IMRP 1", hostpart, *capabilities)

    def step(self):
        if self.busy:
            return False
        if self.proof:
            return self.read_password()
        text = self.reader.line(REQUEST_LINE if self.authenticated_user else LINE)
        if text is not None and self.stopping:
            self.say("DEFER shutdown")
        if self.stopping:
            self.close()
        elif text is not None:
            self.request(text)
        else:
            return self.at_end()
        return True

    def at_end(self):
        if not self.reader.ended:
            return False
        if self.proof or len(self.reader):
            self.close("truncated")
        else:
            self.close()
        return False

    def fail(self, broken):
        self.say("FAIL framing", for_people(str(broken)))
        self.close(broken.rule)

    def request(self, text):
        word, *words = text.split(" ")
        if word == "AUTH":
            self.auth(words)
        elif text == "DONE":
            self.close()
        elif self.knows(word):
            self.known_request(word, words, text)
        else:
            self.say("FAIL command")

    def knows(self, word):
        return word in REQUESTS or word in ("FETCH", "FLAG")

    def meaning_of(self, word, words):
        return request(word, words)

    def known_request(self, word, words, text):
        """Section 6: the arguments are judged before the state."""
        try:
            meaning = self.meaning_of(word, words)
        except Broken as broken:
            self.say("FAIL syntax", for_people(str(broken)))
            return
        if not self.authenticated_user:
            self.say("FAIL state authenticate first")
            return
        self.busy, self.asked = word, meaning
        self.report("request", word, meaning, text)

    # Section 5.1

    def auth(self, words):
        """Whatever is wrong here is a framing error, as a password may follow."""
        who, method = (*words, "", "")[:2]
        try:
            user(who)
            if words[1:] == ["CERTIFICATE"]:
                self.judge(who, None)
                return
            if method != "PASSWORD" or number(" ".join(words[2:])) > PASSWORD:
                raise Broken("syntax", "an unknown method, or too long a password")
        except Broken as broken:
            raise Broken("request-framing", broken.text) from None
        self.proof = (who, int(words[2]))

    def read_password(self):
        who, size = self.proof
        password = self.reader.exactly(size)
        if password is None:
            return self.at_end()
        self.proof = None
        self.judge(who, password)
        return True

    def judge(self, who, password):
        if self.authenticated_user:
            self.say("FAIL state already authenticated")
            return
        self.busy, self.claimed = "AUTH", who
        self.report("auth", who, password)

    def authenticated(self):
        self.authenticated_user = self.claimed
        self.ok()

    # Answers

    def ok(self, *words):
        self.say("OK", *words)
        self.answered()

    def failure(self, reason, text=""):
        self.failures += self.busy == "AUTH" or self.busy == "PASSWORD" and reason == "auth"
        self.say("FAIL" if reason in FAIL else "DEFER", reason, for_people(text))
        if self.failures == FAILURES:
            self.close("auth-failures")
        self.answered()

    def answered(self):
        """The request in hand is; on with the next."""
        self.busy = None
        self.go_on()

    def header(self, which, block, record):
        self.say("HEADER", which, str(len(block)), str(len(record)))
        self.output += block + record

    def part(self, offset, length):
        _, which, at, _, _ = self.asked
        self.say("PART", which, str(at), str(offset), str(length))

    def octets(self, octets):
        self.output += octets

    def broken(self):
        """The octets of a part cannot be had: section 5.6 leaves only the end."""
        self.close("part-read")

    def shut_down(self):
        self.stopping = True
        self.go_on()

    def time_out(self):
        self.close("timeout")


class Asked:
    """A request that waits for its answer."""

    def __init__(self, word, ids=(), page=0, part=None):
        self.word, self.page, self.part = word, page, part
        self.ids = list(ids)  # those that no line was about yet
        self.answered = False  # PART was said


class Client(Session):
    """A user's side of one connection.

    Events: ("greeting", words), then for each request its reply lines, as ("folder", role, name),
    ("entry", id, seq, size, flags, time), ("absent", id), ("header", id, block, record),
    ("gone", id), ("changed", id), ("copied", id, copy), ("part", id, part, offset, length) with
    ("octets", octets), and then ("ok",), ("status", messages, unseen, size, token),
    ("token", token, more), ("fail", word, text) or ("defer", word, text). At the end ("closed",)
    or ("error", rule).
    """

    def __init__(self, hostpart):
        super().__init__()
        self.hostpart = hostpart
        self.greeted = False
        self.asked = collections.deque()
        self.awaited = None  # counted octets that are being read

    # Requests

    def ask(self, asked, *words):
        self.say(asked.word, *(str(w) for w in words))
        self.asked.append(asked)

    def auth(self, who, password):
        self.ask(Asked("AUTH"), who, "PASSWORD", len(password))
        self.output += password

    def certificate(self, who):
        self.ask(Asked("AUTH"), who, "CERTIFICATE")

    def folders(self):
        self.ask(Asked("FOLDERS"))

    def status(self, folder):
        self.ask(Asked("STATUS"), wire(folder))

    def changes(self, folder, since, page):
        self.ask(Asked("CHANGES", page=page), wire(folder), since, page)

    def headers(self, folder, *ids):
        self.ask(Asked("HEADERS", ids), wire(folder), *ids)

    def fetch(self, folder, which, part, offset=0, length=None):
        asked = Asked("FETCH", part=(which, part, offset, length))
        self.ask(asked, wire(folder), which, part, *([] if length is None else [offset, length]))

    def delete(self, folder, *ids):
        self.ask(Asked("DELETE", ids), wire(folder), *ids)

    def move(self, folder, target, *ids):
        self.ask(Asked("MOVE", ids), wire(folder), wire(target), *ids)

    def copy(self, folder, target, *ids):
        self.ask(Asked("COPY", ids), wire(folder), wire(target), *ids)

    def flag(self, folder, ids, changes, if_seq=None):
        limit = [] if if_seq is None else [f"if-seq={if_seq}"]
        self.ask(Asked("FLAG", ids), wire(folder), *ids, *changes, *limit)

    def done(self):
        self.say("DONE")

    # What the server says

    def step(self):
        if self.awaited:
            return self.awaited()
        text = self.reader.line(LINE)
        if text is None:
            return self.at_end()
        if not self.greeted:
            self.greeting(text)
        elif not self.asked:
            self.unasked(text)
        else:
            self.line(text)
        return True

    def unasked(self, text):
        raise Broken("reply-order", "nobody asked for this")

    def at_end(self):
        if self.reader.ended and (self.asked or len(self.reader)):
            raise Broken("connection-lost", "the connection ended before an answer")
        if self.reader.ended:
            self.close()
        return False

    def fail(self, broken):
        self.closed = True
        self.report("error", broken.rule)

    def greeting(self, text):
        words = text.split(" ")
        if words[:3] != ["IMRP", "1", self.hostpart] or "" in words:
            raise Broken("greeting", text)
        self.greeted = True
        self.report("greeting", words[3:])

    def line(self, text):
        word, *words = text.split(" ")
        if word in ("FAIL", "DEFER"):
            self.failed(word, words)
        elif word == "OK":
            self.finished(words)
        elif word in REPLIES:
            try:
                meaning = arguments(words, REPLIES[word])
            except Broken as broken:
                raise Broken("reply-syntax", str(broken)) from None
            self.reply(word, *meaning)
        else:
            raise Broken("reply-syntax", f"{text[:80]!r} is no reply")

    def reply(self, word, *meaning):
        """Section 6: which lines answer which request."""
        asked = self.asked[0]
        legal = {"FOLDERS": ["FOLDER"], "CHANGES": ["+", "-"], "HEADERS": ["HEADER", "GONE"],
                 "FETCH": ["PART"], "FLAG": ["GONE", "CHANGED"], "DELETE": ["GONE"],
                 "MOVE": ["GONE"], "COPY": ["COPIED", "GONE"]}
        if word not in legal.get(asked.word, []):
            raise Broken("reply-order", f"{word} does not answer {asked.word}")
        if asked.word == "CHANGES":
            self.count_line(asked)
        elif asked.ids or asked.word in ("HEADERS", "COPY", "FLAG", "DELETE", "MOVE"):
            self.in_turn(asked, meaning[0])
        {"FOLDER": self.plain("folder"), "+": self.plain("entry"), "-": self.plain("absent"),
         "GONE": self.plain("gone"), "CHANGED": self.plain("changed"),
         "COPIED": self.plain("copied"), "HEADER": self.header, "PART": self.part}[word](*meaning)

    def plain(self, event):
        return lambda *meaning: self.report(event, *meaning)

    def count_line(self, asked):
        if asked.page == 0:
            raise Broken("reply-limit", "more lines than the page that was asked for")
        asked.page -= 1

    def in_turn(self, asked, which):
        """Lines follow the order of the request; only some requests have one for each id."""
        while asked.ids and asked.ids[0] != which and asked.word in ("DELETE", "MOVE", "FLAG"):
            del asked.ids[0]
        if not asked.ids or asked.ids[0] != which:
            raise Broken("reply-order", f"{which} is not what comes next")
        del asked.ids[0]

    def header(self, which, block, record):
        if max(block, record) > HEADER:
            raise Broken("reply-limit", "the header block or the record is too long")

        def both():
            octets = self.reader.exactly(block + record)
            if octets is None:
                return self.at_end()
            self.awaited = None
            self.report("header", which, octets[:block], octets[block:])
            return True
        self.awaited = both

    def part(self, which, at, offset, length):
        asked = self.asked[0]
        wanted = asked.part[3]
        if asked.answered or (which, at, offset) != asked.part[:3] or \
                wanted is not None and length > wanted:
            raise Broken("reply-order", "not the range that was asked for")
        asked.answered = True
        left = length
        self.report("part", which, at, offset, length)

        def some():
            nonlocal left
            octets = self.reader.take(left)
            left -= len(octets)
            if octets:
                self.report("octets", octets)
            if left and not octets:
                return self.at_end()
            if not left:
                self.awaited = None
            return True
        self.awaited = some

    def failed(self, keyword, words):
        reason = words[0] if words else ""
        if not re.fullmatch(f"{WORD}+", reason):
            raise Broken("reply-syntax", "a failure without a reason")
        if self.asked[0].answered:
            raise Broken("reply-order", "a failure after PART")
        if reason not in (FAIL if keyword == "FAIL" else DEFER):
            reason = "unsupported" if keyword == "FAIL" else "internal"
        self.asked.popleft()
        self.report(keyword.lower(), reason, " ".join(words[1:]))

    def finished(self, words):
        asked = self.asked[0]
        if asked.ids and asked.word in ("HEADERS", "COPY") or \
                asked.word == "FETCH" and not asked.answered:
            raise Broken("reply-order", "OK before everything was answered")
        try:
            event = self.end_of(asked.word, words)
        except (Broken, IndexError):
            raise Broken("reply-syntax", f"not what follows OK for {asked.word}") from None
        self.asked.popleft()
        self.report(*event)

    def end_of(self, word, words):
        if word == "STATUS":
            values = []
            for key, meaning in (("messages", number), ("unseen", number), ("size", number),
                                 ("token", token)):
                found, _, value = words.pop(0).partition("=")
                if found != key:
                    raise Broken("syntax", f"{key}= is missing")
                values.append(meaning(value))
            if "" in words:
                raise Broken("syntax", "two spaces")
            return ("status", *values)
        if word == "CHANGES":
            if words[1:] not in ([], ["more"]):
                raise Broken("syntax", "something follows the token")
            return ("token", token(words[0]), len(words) == 2)
        arguments(words, [])
        return ("ok",)
