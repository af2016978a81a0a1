"""A small read-only web page over a mailbox, for one person on this machine.

    read_in_browser.py MAILBOX [PORT]

Listens on 127.0.0.1 alone and prints the address, which holds a secret word: whoever does not know it
sees nothing. Nothing in the mailbox is changed, and nothing that a message says is believed: text is
shown as text, HTML too; other parts are downloads that a browser does not open by itself; nothing is
fetched from anywhere.
"""

import contextlib
import html
import secrets
import socketserver
import urllib.parse
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import bottle
import ima
import ima.mailbox

from postage import run

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>body {{ font-family: sans-serif; max-width: 60em; margin: 2em auto }}
pre {{ white-space: pre-wrap; overflow-wrap: anywhere }} th {{ text-align: left }}</style>
<h1>{title}</h1>{body}</html>"""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
A_PAGE = 100
LONGEST_TEXT = 1 << 20
SHOWN = ("from", "mailer", "to", "cc", "date", "subject", "proved")


def page(title, body):
    return PAGE.format(title=html.escape(title), body=body)


def link(text, *steps):
    path = "/".join(urllib.parse.quote(str(s), safe="") for s in steps)
    return f'<a href="{path}">{html.escape(text)}</a>'


class Reader:
    """Answers requests; `word` is the first step of every path."""

    def __init__(self, box, word):
        self.box = box
        self.app = bottle.Bottle()
        self.app.add_hook("after_request", lambda: bottle.response.headers.update(HEADERS))
        for path, answer in [("/", self.folders), ("/<folder>/", self.folder),
                             ("/<folder>/<id>/", self.message),
                             ("/<folder>/<id>/<part:re:[1-9][0-9]{0,8}>", self.part)]:
            self.app.get(f"/{word}{path}", callback=answer)

    def folders(self):
        self.box.take_in()
        rows = [f"<li>{link(f.name, encode(f.name), '')} ({f.unseen} of {f.messages} unread)"
                for f in self.box.folders()]
        return page("Folders", f"<ul>{''.join(rows)}</ul>")

    def folder(self, folder):
        name = decode(folder)
        self.box.take_in()
        found = self.asked(lambda: self.box.search(
            folder=name, after=bottle.request.query.get("after", ""), limit=A_PAGE))
        rows = [self.row(name, hit.entry) for hit in found.hits]
        more = f'<p><a href="?after={urllib.parse.quote(found.next)}">Older</a>' if found.next else ""
        return page(name, f"<p>{link('Folders', '..', '')}<table>{''.join(rows)}</table>{more}")

    def row(self, folder, entry):
        stored = self.box.header(folder, entry.id)
        if stored is None:
            return ""  # it went meanwhile
        sender, subject = str(stored.header.from_), stored.header.subject or "(no subject)"
        return (f"<tr><td>{entry.arrived:%Y-%m-%d %H:%M}<td>{html.escape(ima.printable(sender))}"
                f"<td>{link(ima.printable(subject), entry.id, '')}")

    def message(self, folder, id):
        name = decode(folder)
        stored = self.stored(name, id)
        header = stored.header
        rows = [f"<tr><th>{field}<td>{html.escape(ima.printable(value))}"
                for field, value in [*header.fields, ("proved", proved(stored.record))]
                if field in SHOWN]
        shown = [self.shown(name, id, number, part) for number, part in enumerate(header.parts, 1)]
        title = ima.printable(header.subject or "(no subject)")
        return page(title, f"<p>{link('Back', '..', '')}<table>{''.join(rows)}</table>{''.join(shown)}")

    def shown(self, folder, id, number, part):
        label = f"{part.name or part.media_type} ({part.size} octets)"
        download = f"<p>{link(ima.printable(label), number)}"
        if not part.media_type.startswith("text/") or part.role == "attachment":
            return download
        text = self.box.open_part(folder, id, number).read(LONGEST_TEXT)
        return f"{download}<pre>{html.escape(text.decode(errors='replace'))}</pre>"

    def part(self, folder, id, part):
        name, part = decode(folder), int(part)
        self.stored(name, id)
        file = self.asked(lambda: self.box.open_part(name, id, part))
        info = self.stored(name, id).header.parts[part - 1]
        called = urllib.parse.quote(info.name or f"part-{part}", safe="")
        bottle.response.content_type = "application/octet-stream"
        bottle.response.set_header("Content-Length", info.size)
        bottle.response.set_header("Content-Disposition", f"attachment; filename*=UTF-8''{called}")
        return iter(lambda: file.read(64 * 1024), b"")

    def stored(self, folder, id):
        return self.asked(lambda: self.box.header(folder, id)) or bottle.abort(404, "Not there.")

    @staticmethod
    def asked(question):
        try:
            return question()
        except ima.MailboxCallError:
            return bottle.abort(404, "Not there.")


def proved(record):
    """The domain that the sending server proved; the header block proves nothing."""
    for line in record.decode().splitlines():
        if line.startswith("verified-domain: "):
            return line.partition(": ")[2]
    return "nothing"


def encode(folder):
    """A folder's name as one step of a path; a slash in a path would divide it."""
    return folder.encode().hex()


def decode(step):
    try:
        return bytes.fromhex(step).decode()
    except ValueError:
        return bottle.abort(404, "Not there.")


class Quiet(WSGIRequestHandler):
    """Keeps the secret word out of logs, and waits for nobody for long."""

    timeout = 10

    def log_message(self, *_):
        pass

    def handle(self):
        with contextlib.suppress(TimeoutError, ConnectionError):
            super().handle()


class Threaded(socketserver.ThreadingMixIn, WSGIServer):
    """Browsers open connections that they do not use."""

    daemon_threads = True


def main(path, port="0"):
    box = ima.mailbox.Mailbox.open(path)
    word = secrets.token_urlsafe(24)
    server = make_server("127.0.0.1", int(port), Reader(box, word).app, Threaded, Quiet)
    print(f"http://127.0.0.1:{server.server_port}/{word}/", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    run(main)
