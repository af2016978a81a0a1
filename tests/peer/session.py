"""What the sessions of both protocols have in common.

A session is fed the octets that came, keeps what it has to say in `output`, and reports in
`events`, one tuple each, what its program should know. It opens no socket and asks no clock.
"""

import collections

from lines import Broken, Reader


class Session:
    def __init__(self):
        self.reader = Reader()
        self.output = bytearray()
        self.events = collections.deque()
        self.closed = False

    def feed(self, octets):
        """Octets that came from the other side."""
        self.reader.feed(octets)
        self.go_on()

    def end(self):
        """The other side's stream ended."""
        self.reader.ended = True
        self.go_on()

    def say(self, *words):
        self.output += (" ".join(w for w in words if w) + "\n").encode()

    def report(self, *event):
        self.events.append(event)

    def go_on(self):
        """Takes one `step` of the protocol after another until one asks to wait."""
        try:
            while not self.closed and self.step():
                pass
        except Broken as broken:
            self.fail(broken)

    def fail(self, broken):
        self.close(broken.rule)

    def close(self, *rule):
        self.closed = True
        self.report("closed", *rule)
