"""Delivery: docs/delivery.md, as two sessions without input or output."""

import collections
import hashlib
import re

import message
from lines import Broken, for_people, number
from session import Session

LINE = 4096
REASON = re.compile("[a-z-]+")
VERDICTS = {"OK", "FAIL", "PARTIAL", "DEFER"}

# Section 6: the reason for a header block that breaks a rule; `syntax` for every other rule.
REASONS = {"header-limit": "size", "parts-limit": "size", "body-limit": "size",
           "recipients-limit": "recipients", "recipients-missing": "recipients",
           "received-limit": "loop"}


class Server(Session):
    """The receiver.

    Events: ("offered", message), ("refused", reason, rule), ("octets", part, octets),
    ("part", number, size), ("body-end",), ("damaged", rule), ("cancelled",), ("closed",) or
    ("closed", rule). An offer is answered by accept(), refuse() or verdict(); a body's end by
    result() and note() as often as wanted, then conclude().
    """

    def __init__(self, hostpart, max_size=message.BODY):
        super().__init__()
        self.hostpart, self.max_size = hostpart, max_size
        self.state = "ready"
        self.stopping = False
        self.say("IMDP 1", hostpart, f"max-size={max_size}")

    # Section 4: one step for each state. A step says whether another one may follow.

    def step(self):
        return getattr(self, "step_" + self.state)()

    def step_ready(self):
        if self.stopping:
            self.say("CLOSE shutdown")
            self.close()
            return False
        text = self.reader.line(LINE)
        if text is None:
            return self.at_end()
        self.command(text)
        return True

    step_declined = step_accepted = step_ready

    def step_header(self):
        block = self.reader.exactly(self.left)
        if block is None:
            return self.at_end()
        try:
            self.offer = message.parse(block, self.max_size)
            if not self.offer.recipients_at(self.hostpart):
                raise Broken("recipients-missing", f"no recipient at {self.hostpart}")
        except Broken as broken:
            self.refuse_block(broken)
            return True
        self.state, self.named = "judging", set()
        self.report("offered", self.offer)
        return False

    def step_long_header(self):
        if not self.drop():
            return self.at_end()
        self.refuse_block(Broken("header-limit", "the header block is too long"))
        return True

    def step_judging(self):
        return False  # what the client sends meanwhile waits

    step_delivering = step_judging

    def step_body(self):
        if not self.unread:
            self.state = "delivering"
            self.report("body-end")
            return False
        at, announced = self.unread[0]
        octets = self.reader.take(announced.size - self.part_size)
        if not octets and announced.size > self.part_size:
            return self.at_end()
        self.left -= len(octets)
        self.part_octets(at, announced, octets)
        return True

    def part_octets(self, at, announced, octets):
        self.hash.update(octets)
        self.part_size += len(octets)
        if octets:
            self.report("octets", at, octets)
        if self.part_size < announced.size:
            return
        if self.hash.hexdigest() != announced.sha256:
            self.report("damaged", "part-digest")
            self.give_up("FAIL", f"part {at} does not match its sha256= [part-digest]")
            return
        self.report("part", at, announced.size)
        self.begin_part(self.unread[1:])

    def begin_part(self, unread):
        self.unread, self.part_size, self.hash = unread, 0, hashlib.sha256()

    def step_given_up(self):
        if not self.drop():
            return self.at_end()
        verdict, text = self.given_up
        self.say("NOTE", text)
        self.say(verdict)
        self.state = "ready"
        return True

    def step_unwanted(self):
        """A body that was sent ahead of a refusal."""
        if not self.drop():
            return self.at_end()
        self.state = "ready"
        return True

    def drop(self):
        self.left -= len(self.reader.take(self.left))
        return self.left == 0

    def at_end(self):
        if not self.reader.ended:
            return False
        if self.state not in ("ready", "declined") or len(self.reader):
            raise Broken("truncated", "the connection ended inside a message")
        self.close()
        return False

    # Section 2: a framing error closes the connection.

    def fail(self, broken):
        self.say("CLOSE", for_people(str(broken)))
        self.close(broken.rule)

    # Commands

    def command(self, text):
        word, *arguments = text.split(" ")
        if word in ("MAIL", "DATA"):
            count = number(" ".join(arguments))
            (self.mail if word == "MAIL" else self.data)(count)
        elif text in ("CANCEL", "DONE"):
            (self.cancel if word == "CANCEL" else self.done)()
        else:
            raise Broken("command", f"{text[:80]!r} is no command")

    def only_in(self, *states):
        if self.state not in states:
            raise Broken("command-order", f"not legal while {self.state}")

    def mail(self, count):
        self.only_in("ready", "declined")
        if count > message.BLOCK and count > self.max_size:
            raise Broken("header-limit", "the header block is beyond every limit")
        self.left = count
        self.state = "header" if count <= message.BLOCK else "long_header"

    def data(self, count):
        self.only_in("accepted", "declined")
        self.left = count
        if self.state == "declined":
            if count > self.max_size:
                raise Broken("data-length", "a body that is not wanted is over max-size")
            self.state = "unwanted"
        elif count != self.offer.body_size:
            raise Broken("data-length", f"DATA {count}, announced {self.offer.body_size}")
        else:
            self.state = "body"
            self.begin_part(list(enumerate(self.offer.parts, 1)))

    def cancel(self):
        self.only_in("accepted", "declined")
        if self.state == "accepted":
            self.report("cancelled")
        self.state = "ready"

    def done(self):
        self.only_in("ready", "declined")
        self.close()

    # Section 5: the program's answers to an offer

    def refuse_block(self, broken):
        reason = REASONS.get(broken.rule, "syntax")
        self.report("refused", reason, broken.rule)
        self.say("REJECT", reason, for_people(str(broken)))
        self.state = "declined"

    def line_about(self, word, recipient):
        """OK for one who has the message, NORECIPIENT for one who does not exist."""
        self.named.add(recipient.folded())
        self.say(word, str(recipient))

    def accept(self):
        self.say("ACCEPT")
        self.state = "accepted"
        self.go_on()

    def refuse(self, keyword, reason, text=""):
        self.say(keyword, reason, for_people(text))
        self.state = "declined"
        self.go_on()

    def verdict(self, word):
        self.say(word)
        self.state = "declined"
        self.go_on()

    def lapse(self):
        """The minute of an ACCEPT is over."""
        if self.state == "accepted":
            self.refuse("DEFER", "lapsed")

    # Section 8: what became of the body

    def give_up(self, verdict, text):
        """The rest of the body is dropped, then VERDICT is said."""
        self.given_up, self.state = (verdict, for_people(text)), "given_up"

    def result(self, word, recipient, text=""):
        """The first line about a recipient stands; any other is a remark."""
        folded = recipient.folded()
        mine = {a.folded() for a in self.offer.recipients_at(self.hostpart)}
        if folded in self.named or folded not in mine:
            self.note(" ".join(filter(None, [word, str(recipient), text])))
            return
        self.named.add(folded)
        self.say(word, str(recipient), for_people(text))

    def note(self, text):
        self.say("NOTE", for_people(text))

    def conclude(self, word):
        self.say(word)
        self.state = "ready"
        self.go_on()

    def stop(self):
        """The message in hand is finished, then the connection is closed."""
        self.stopping = True
        if self.state in ("ready", "declined"):
            self.go_on()


class Offer:
    """One offer of a client, from its MAIL to its last answer."""

    def __init__(self, offered, hostpart):
        self.size = offered.body_size
        self.recipients = offered.recipients_at(hostpart)
        self.results = {}
        self.state = "offered"
        self.left = None  # octets of the body that are not yet sent; None before DATA

    @property
    def sent(self):
        return self.left == 0

    def outcome(self, otherwise):
        """What became of the message for each recipient."""
        return [(a, self.results.get(a.folded(), otherwise)) for a in self.recipients]


class Client(Session):
    """The sender, for one hostpart.

    Events: ("greeting", max_size, words), ("result", word, address, text), ("note", text),
    ("accepted",), ("declined", keyword, reason, text), ("complete", word),
    ("results", [(address, word)]), ("closed",) or ("closed", rule).
    """

    def __init__(self, hostpart):
        super().__init__()
        self.hostpart = hostpart
        self.greeted = False
        self.offers = collections.deque()  # those that are not over, oldest first
        self.latest = None
        self.finished = False

    # What the program wants said (section 4, the last table)

    def offer(self, block):
        """Offers a header block; only what this host may see of it is sent."""
        offered = message.parse(block)
        latest = self.latest
        free = latest is None or latest.state == "cancelled" or latest.sent
        refused = latest is not None and latest.state == "over" and latest.left is None
        if not self.greeted or self.finished or not (free or refused):
            raise RuntimeError("this is not the time for an offer")
        shown = offered.for_host(self.hostpart)
        self.latest = Offer(offered, self.hostpart)
        self.offers.append(self.latest)
        self.say("MAIL", str(len(shown)))
        self.output += shown

    def data(self):
        self.say("DATA", str(self.latest.size))
        self.latest.left = self.latest.size

    def body(self, octets):
        if self.latest.left is None or len(octets) > self.latest.left:
            raise RuntimeError("more octets than were announced")
        self.latest.left -= len(octets)
        self.output += octets

    def cancel(self):
        """Nothing answers a CANCEL; an answer that is still owed comes all the same."""
        if self.latest.left is not None:
            raise RuntimeError("CANCEL comes before DATA or not at all")
        self.say("CANCEL")
        if self.latest.state == "accepted":
            self.offers.pop()
        self.latest.state = "cancelled"

    def done(self):
        self.say("DONE")
        self.finished = True

    # What the server says

    def step(self):
        text = self.reader.line(LINE)
        if text is None:
            return self.at_end()
        if self.greeted:
            self.reply(text)
        else:
            self.greeting(text)
        return True

    def at_end(self):
        if self.reader.ended:
            self.over(None if self.finished else "closed")
        return False

    def over(self, rule):
        rule = "no-verdict" if self.offers else rule
        self.close(*[rule] if rule else [])

    def greeting(self, text):
        words = text.split(" ")
        sizes = [w.removeprefix("max-size=") for w in words[3:] if w.startswith("max-size=")]
        if words[:3] != ["IMDP", "1", self.hostpart] or len(sizes) != 1 or "" in words:
            raise Broken("greeting", text)
        self.max_size = number(sizes[0], "greeting")
        self.greeted = True
        self.report("greeting", self.max_size,
                    [w for w in words[3:] if not w.startswith("max-size=")])

    def reply(self, text):
        """Section 3: a line is told apart by its first two words."""
        word, space, rest = text.partition(" ")
        second, _, behind = rest.partition(" ")
        if text == "ACCEPT":
            self.accepted()
        elif word == "CLOSE" and rest:
            self.over(None)
        elif word == "NOTE" and rest:
            self.noted(rest)
        elif word in VERDICTS and not space:
            self.verdict(word)
        elif word in ("OK", "FAIL", "DEFER", "NORECIPIENT") and "@" in second:
            self.result(word, message.address(second), behind)
        elif word in ("REJECT", "DEFER") and REASON.fullmatch(second):
            self.refused(word, second, behind)
        else:
            raise Broken("reply", text)

    def head(self, *states):
        """The oldest offer that is not over, if it is in one of the states."""
        if self.offers and self.offers[0].state in states:
            return self.offers[0]
        raise Broken("reply-order", "not what may be said here")

    def finish(self, *event, otherwise):
        offer = self.offers.popleft()
        if offer.state == "cancelled":
            return
        offer.state = "over"
        self.report(*event)
        self.report("results", offer.outcome(otherwise))

    def accepted(self):
        offer = self.head("offered", "cancelled")
        if offer.state == "cancelled":
            self.offers.popleft()
            return
        offer.state = "accepted"
        self.report("accepted")

    def refused(self, keyword, reason, text):
        if (keyword, reason) == ("DEFER", "lapsed"):
            if self.offers and self.offers[0].state == "accepted":
                self.finish("declined", keyword, reason, text, otherwise="DEFER")
            return
        self.head("offered", "cancelled")
        self.finish("declined", keyword, reason, text,
                    otherwise="FAIL" if keyword == "REJECT" else "DEFER")

    def result(self, word, recipient, text):
        offer = self.head("offered", "accepted", "cancelled")
        early = offer.state != "accepted"
        if early and word not in ("OK", "NORECIPIENT") or not early and not offer.sent:
            raise Broken("reply-order", "a result before the body")
        if offer.state == "cancelled":
            return
        mine = {a.folded() for a in offer.recipients}
        if recipient.folded() not in mine or recipient.folded() in offer.results:
            self.report("note", " ".join(filter(None, [word, str(recipient), text])))
            return
        offer.results[recipient.folded()] = word
        self.report("result", word, recipient, text)

    def noted(self, text):
        if not self.head("accepted").sent:
            raise Broken("reply-order", "a remark before the body")
        self.report("note", text)

    def verdict(self, word):
        offer = self.head("offered", "accepted", "cancelled")
        if offer.state == "accepted" and not offer.sent:
            raise Broken("reply-order", "a verdict before the body")
        self.finish("complete", word, otherwise="DEFER" if word == "PARTIAL" else word)
