"""A mailing list: a command for routes, with the message on standard input.

    [routes]
    "list@l.example" = { command = ["mailing_list.py", "list.toml", "{address}"] }
    "list+subscribe@l.example" = { command = ["mailing_list.py", "list.toml", "{address}"] }
    "list+unsubscribe@l.example" = { command = ["mailing_list.py", "list.toml", "{address}"] }

A message to list+subscribe or list+unsubscribe changes who is on the list. A message of a subscriber
to the list goes to all of them, sent on as docs/message.md section 4.1 says: whom a host has not, or
refuses, is left out, and for hosts that cannot take it now it waits in the queue. Who is refused, or
reported undeliverable, five times in a row is taken off. A report counts where the domain that sent
it, which was proved, is the subscriber's or the list's own.
"""

import collections
import concurrent.futures

import ima

from postage import FAIL, OK, Settings, is_automatic, run

PATIENCE = 5  # failures of a subscriber before he is taken off
AT_ONCE = 16  # messages that are being sent
# A message may name 1000 recipients, and its header block may have 256 KiB (docs/message.md section 7).
PORTION = 500  # readers whom one message is for
NAMED = 500  # recipients whom the author may name beside them
OWN = ("ima", "bcc", "for", "mailer", "list-id", "part")


def main(settings_file, recipient):
    settings = Settings(settings_file)
    message = ima.MessageFile.open("-")
    name = ima.Address(recipient).local.rpartition("+")[2]
    if is_automatic(message.header):
        if ima.Address(recipient) == settings.address:
            count_report(settings, message)
        return OK
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
        queue = settings.queue()  # made ready by one program at a time
    if header.from_.addr.key not in readers:
        print("NOTE only subscribers may write to the list")
        return FAIL
    if header.count("to") + header.count("cc") > NAMED:
        print(f"NOTE the list takes no message that names more than {NAMED} recipients")
        return FAIL
    return send_to_all(settings, queue, message, readers)


def send_to_all(settings, queue, message, readers):
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        told = list(pool.map(lambda some: attempt(settings, queue, message, some), portions(readers)))
    errors = [error for _, error in told if error]
    if errors and len(errors) == len(told):
        raise errors[0]
    try:
        count_results(settings, [result for results, _ in told for result in results])
    except ima.Error as error:
        errors.append(error)
    for error in errors:
        print(f"NOTE {ima.printable(str(error))}")
    return OK  # some readers have it, and must not get it again because others have not


def portions(readers):
    """Readers at one host, and of a host with many no more than one message may name."""
    by_host = collections.defaultdict(list)
    for reader in readers:
        by_host[ima.Address(reader).host].append(reader)
    for those in by_host.values():
        for start in range(0, len(those), PORTION):
            yield those[start : start + PORTION]


def attempt(settings, queue, message, readers):
    """What send() returns, and the error that kept the message from these readers alone."""
    try:
        return send(settings, queue, message, readers), None
    except ima.Error as error:
        return [], error


def send(settings, queue, message, readers):
    """Sends to readers at one host, and says what became of each. A host takes a message for
    nobody where it does not have one of them; so the others are tried again."""
    missing, rest = [], set(readers)
    while rest:
        header = sent_on(message.header, settings.address, sorted(rest))
        report = settings.send_or_queue(message.with_header(header), queue)
        results = [r for host in report.hosts for r in host.results]
        unknown = [r for r in results if r.outcome == "NORECIPIENT"]
        if report.outcome != "refused" or not unknown:
            return missing + results
        missing += unknown
        rest -= {r.recipient.key for r in unknown}
    return missing


def count_results(settings, results):
    with settings.state({}) as subscribers:
        for result in results:
            if result.outcome == "OK" and result.recipient.key in subscribers:
                subscribers[result.recipient.key] = 0
            elif result.outcome in ("FAIL", "NORECIPIENT"):
                count_failure(subscribers, result.recipient.key)


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
    text = message.open_part(1).read(65536) if message.header.parts else b""
    words = {w.strip("<>:,") for w in text.decode(errors="replace").split()}
    proved = message.header.originator.host
    with settings.state({}) as subscribers:
        for who in words & subscribers.keys():
            if proved in (ima.Address(who).host, settings.address.host):
                count_failure(subscribers, who)


def count_failure(subscribers, who):
    if who in subscribers:
        subscribers[who] += 1
        if subscribers[who] >= PATIENCE:
            del subscribers[who]
            print(f"NOTE {who} is off the list")


if __name__ == "__main__":
    run(main)
