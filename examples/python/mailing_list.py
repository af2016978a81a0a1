"""A mailing list: a command for routes, with the message on standard input.

    [routes]
    "list@l.example" = { command = ["mailing_list.py", "list.toml", "{address}"] }
    "list+subscribe@l.example" = { command = ["mailing_list.py", "list.toml", "{address}"] }
    "list+unsubscribe@l.example" = { command = ["mailing_list.py", "list.toml", "{address}"] }

A message to list+subscribe or list+unsubscribe changes who is on the list. A message of a subscriber
to the list goes to all of them, sent on as docs/message.md section 4.1 says. Who is reported
undeliverable five times in a row is taken off.
"""

import ima

from postage import FAIL, OK, Settings, exit_for, is_automatic, run

PATIENCE = 5  # reports about a subscriber before he is taken off
OWN = ("ima", "bcc", "for", "mailer", "list-id", "part")


def main(settings_file, recipient):
    settings = Settings(settings_file)
    message = ima.MessageFile.open("-")
    name = ima.Address(recipient).local.rpartition("+")[2]
    if is_automatic(message.header):
        return count_report(settings, message)
    if name == "subscribe":
        return subscribe(settings, message.header, True)
    if name == "unsubscribe":
        return subscribe(settings, message.header, False)
    return distribute(settings, message)


def subscribe(settings, header, on):
    who = header.from_.addr.key
    with settings.state({}) as subscribers:
        if on:
            subscribers.setdefault(who, 0)
        else:
            subscribers.pop(who, None)
    print(f"NOTE {who} is {'on' if on else 'off'} the list")
    return OK


def distribute(settings, message):
    header = message.header
    own = settings.address
    if any(a.addr == own for a in header.addresses("via")):
        print("NOTE the message has been on this list before")
        return FAIL
    with settings.state({}) as subscribers:
        readers = sorted(subscribers)
    if header.from_.addr.key not in readers:
        print("NOTE only subscribers may write to the list")
        return FAIL
    report = settings.send(message.with_header(sent_on(header, own, readers)))
    with settings.state({}) as subscribers:
        for result in (r for host in report.hosts for r in host.results):
            if result.outcome == "OK" and result.recipient.key in subscribers:
                subscribers[result.recipient.key] = 0
    return exit_for(report)


def sent_on(header, own, readers):
    """The header block under which the list sends a message on."""
    builder = ima.HeaderBuilder()
    for name, value in header.fields:
        if name not in OWN:
            builder.field(name, value)
    builder.field("mailer", str(own)).field("via", str(own))
    builder.field("list-id", f"{own.local}.{own.host}")
    for reader in readers:
        builder.field("for", reader)
    for part in header.all("part"):
        builder.field("part", part)
    return builder.build()


def count_report(settings, message):
    """A report comes back to `mailer:`, the list, and names whom it is about, one a line."""
    words = message.open_part(1).read(65536).decode().split() if message.header.parts else []
    with settings.state({}) as subscribers:
        for who in {w.strip("<>:,") for w in words} & subscribers.keys():
            subscribers[who] += 1
            if subscribers[who] >= PATIENCE:
                del subscribers[who]
                print(f"NOTE {who} is off the list")
    return OK


if __name__ == "__main__":
    run(main)
