"""Requests of retrieval, one after another, over TLS."""

import imrp_capabilities
import tls

ENDS = ("ok", "status", "token", "fail", "defer", "error", "closed", "id", "cursor", "quota",
        "verdict")


class Asker:
    """A client that waits for the answer to each request."""

    def __init__(self, server, context):
        self.connection = tls.connect(server.address, "b.example",
                                      imrp_capabilities.Client("b.example"), context)
        self.greeting = self.connection.event()

    def __getattr__(self, request):
        def ask(*arguments):
            getattr(self.connection.session, request)(*arguments)
            return self.answer()
        return ask

    def answer(self):
        """The events up to the request's last; octets that came in pieces are one event."""
        events = []
        while not events or events[-1][0] not in ENDS:
            event = self.connection.event()
            if event[0] == "octets" and events[-1][0] == "octets":
                event = ("octets", events.pop()[1] + event[1])
            events.append(event)
        return events
