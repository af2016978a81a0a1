"""An automatic answer that cannot loop: a command for routes, with the message on standard input.

    "bob@b.example" = { command = ["auto_reply.py", "away.toml"] }

The settings name the text and for how many days a sender is not answered again. It never answers a
program (`auto:`), a list (`mailer:`, `via:`, `list-…`), itself, or a message that does not name it
in `to:` or `cc:`, and what it writes says `auto: reply`, which nothing answers. Only the sender's
domain, which was proved, gets an answer: a `reply-to:` elsewhere could name people who never wrote.
"""

import sys
import time

import ima

from postage import OK, Settings, is_automatic, run, text_message


def main(settings_file, *_):
    settings = Settings(settings_file)
    header = ima.MessageFile.open("-").header
    whom = sender_of(header)
    if not deserves_answer(settings, header, whom) or answered_lately(settings, whom):
        return OK
    try:
        settings.send(answer(settings, header, whom))
    except ima.Error as error:
        print(f"no answer to {whom}: {error}", file=sys.stderr)
    return OK  # the message itself is taken care of elsewhere; an answer that fails is no reason


def answer(settings, header, whom):
    """What it takes over from the message is bounded: a line has a limit."""
    more = [("auto", "reply")]
    answered = header.first("id")
    if answered is not None and len(answered) <= 1000:
        more += [("in-reply-to", answered)]
    subject = f"Re: {header.subject[:200].rstrip()}" if header.subject else ""
    return text_message(settings, whom, subject, settings.values["text"], *more)


def sender_of(header):
    author = header.from_.addr
    wanted = [a.addr for a in header.addresses("reply-to")]
    return wanted[0] if wanted and wanted[0].host == author.host else author


def deserves_answer(settings, header, whom):
    named = [a.addr for name in ("to", "cc") for a in header.addresses(name)]
    by_list = any(name.startswith("list-") for name, _ in header.fields)
    return not (
        is_automatic(header)
        or by_list
        or header.mailer is not None
        or header.count("via") > 0
        or settings.address in (whom, *(a.addr for a in header.addresses("reply-to")))
        or settings.address not in named
    )


def answered_lately(settings, whom):
    """Remembers the answer before it is given: one too few does less harm than one too many."""
    rest = settings.values.get("days", 7) * 86400
    with settings.state({}) as answered:
        now = time.time()
        for who in [who for who, when in answered.items() if now - when > rest]:
            del answered[who]
        known = whom.key in answered
        answered.setdefault(whom.key, now)
    return known


if __name__ == "__main__":
    run(main)
