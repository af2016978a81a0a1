"""Sends a digest of what came into a mailbox since the last one; for a daily timer.

    daily_digest.py digest.toml MAILBOX READER

Nothing is sent where nothing came. The place in the mailbox is moved on when the digest was
delivered, so none is left out, and a digest that failed is sent with the next one.
"""

import ima.mailbox

from postage import OK, Settings, exit_for, run, text_message


def main(settings_file, path, reader):
    settings = Settings(settings_file)
    box = ima.mailbox.Mailbox.open(path)
    box.take_in()
    with settings.state({"token": "0"}) as state:
        entries, token = arrived_since(box, state["token"])
        lines = [line for line in (describe(box, e) for e in entries) if line]
        status = OK
        if lines:
            subject = f"{len(lines)} new messages" if len(lines) > 1 else "1 new message"
            report = settings.send(text_message(
                settings, reader, subject, "\n".join(lines) + "\n", ("auto", "digest")))
            status = exit_for(report)
        if status == OK:
            state["token"] = token
    return status


def arrived_since(box, token):
    found = {}
    try:
        page = box.changes("inbox", token)
    except ima.MailboxCallError as error:
        if error.rule != "resync":
            raise
        page = box.changes("inbox", "0")  # the mailbox was made anew
    while True:
        for entry in page.entries:
            found.pop(entry.id, None)
            if not entry.gone and "seen" not in entry.flags:
                found[entry.id] = entry
        if not page.more:
            return list(found.values()), page.token
        page = box.changes("inbox", page.token)


def describe(box, entry):
    stored = box.header("inbox", entry.id)
    if stored is None:
        return None
    header = stored.header
    via = f" via {header.mailer.addr}" if header.mailer else ""
    told = f"{header.from_}{via}: {header.subject or '(no subject)'} ({entry.size} octets)"
    return ima.printable(told)  # the author may be anybody


if __name__ == "__main__":
    run(main)
