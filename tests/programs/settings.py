"""Every program says what it is, and what is wrong with its settings: one line, file, line, key."""

import shutil
import subprocess

from harness import Domain, Tests, authority, run

CONFIGURED = ["fetch-mail", "server-handle-incoming-mail", "server-post-office", "server-receive",
              "server-send-mail"]


def good_settings(domain, program):
    if program == "fetch-mail":
        domain.office_hosts[domain.name] = "127.0.0.1:1"
        return domain.fetch_settings("bob")
    if program == "server-send-mail":
        return domain.send_settings({domain.name: "127.0.0.1:1"})
    if program == "server-handle-incoming-mail":
        return 'hostparts = ["b.example"]\n[routes]\n"bob@b.example" = { mailbox = "bob" }\n'
    if program == "server-post-office":
        return domain.office_settings()
    return domain.receive_settings()


with Tests() as t:
    b = Domain(t, authority(t.work), "b.example")
    b.add_user("bob")
    programs = sorted(p.name for p in t.programs.iterdir() if p.is_file() and p.stat().st_mode & 1)
    t.true("the programs are there", set(CONFIGURED) < set(programs), programs)
    for name in programs:
        shown = run(t.program(name), "--version")
        t.equal(f"{name} --version", (shown.code, shown.out.split()[0]), (0, name))
        shown = run(t.program(name), "--help")
        t.equal(f"{name} --help", (shown.code, shown.err), (0, ""))
        t.contains(f"{name} --help", shown.out, name)
        t.equal(f"{name} --no-such-option", run(t.program(name), "--no-such-option").code, 64)

    def complaint(program, settings, *parts):
        config = b.write("wrong.toml", settings)
        done = run(t.program(program), "--config", config, "--check-config")
        what = f"{program} with {settings[:40]!r}"
        t.equal(f"{what}: exit", (done.code, done.out), (78, ""))
        t.equal(f"{what}: one line", done.err.count("\n"), 1)
        for part in parts:
            t.contains(what, done.err, part)

    for name in CONFIGURED:
        good = good_settings(b, name)
        checked = run(t.program(name), "--config", b.write("good.toml", good), "--check-config")
        t.equal(f"{name} with good settings", (checked.code, checked.err), (0, ""))
        complaint(name, "no-such-key = 1\n" + good, "wrong.toml:1:", "no-such-key", "[config-key]")
        complaint(name, "= broken\n", "wrong.toml:1:", "[config-syntax]")
        complaint(name, good + "\n[nowhere]\nkey = 1\n", "nowhere", "[config-key]")
        done = run(t.program(name), "--config", b.place / "missing.toml", "--check-config")
        t.equal(f"{name} without its file", done.code, 78)
        t.contains(f"{name} without its file", done.err, "missing.toml")
    complaint("server-receive", b.receive_settings(top='max-size = "many"'), ":3: max-size:",
              "[config-value]")
    complaint("server-send-mail", b.send_settings(sections='[queue]\npath = "queue"\nlifetime = "14d"'),
              "lifetime: must be at most \"13d\"", "[config-value]")
    complaint("server-receive", b.receive_settings(top="max-size = true"), ":3: max-size:",
              "[config-type]")
    complaint("server-receive", 'hostparts = ["b.example"]\n', "listen", "[config-missing]")
    complaint("server-receive", b.receive_settings() + '[routes."x"]\nmailbox = "x"\n', "")

    # A post office keeps indexes in its host's cache, where there is one, or where it is told.
    office = b.write("office.toml", b.office_settings())
    homeless = run("env", "-u", "HOME", "-u", "XDG_CACHE_HOME", t.program("server-post-office"),
                   "--config", office, "--check-config")
    t.equal("without a home", homeless.code, 78)
    t.contains("the setting that is missing", homeless.err, "index-path: ")
    office.write_text(b.office_settings('index-path = "/dev/null/index"'))
    placeless = run(t.program("server-post-office"), "--config", office)
    t.equal("with no place for indexes", placeless.code, 78)
    t.contains("the place that cannot be", placeless.err, "/dev/null/index: ")

    for name in ("here", "here/", "above/here/"):
        there = b.start("server-post-office", f'index-path = "{name}"',
                        wrapper=["sh", "-c", 'cd "$1" && exec "$2" --config server-post-office.toml',
                                 "sh", b.place])
        t.equal(f"the directory {name} is its owner's", (b.place / name).stat().st_mode & 0o777, 0o700)
        t.equal("it stops", there.stop(), 0)
        (b.place / name).rmdir()

    # A file that is named in the settings and missing is the settings' fault, too.
    b.key.rename(b.place / "moved.key")
    server = run(t.program("server-receive"), "--config",
                 b.write("no-key.toml", b.receive_settings()))
    t.equal("a missing key", server.code, 78)
    t.contains("a missing key", server.err, "domain.key")

    man = t.programs.parent / "docs" / "man"
    if shutil.which("scdoc"):
        pages = {page.name.rsplit(".", 1)[0] for page in man.glob("*.[18]")}
        t.equal("a man page for each", sorted(set(programs) - pages), [])
    if shutil.which("man"):
        for page in sorted(man.glob("*.[18]")):
            shown = subprocess.run(["man", "--warnings", "-l", str(page)], check=False,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            t.equal(f"{page.name} is well formed", (shown.returncode, shown.stderr), (0, b""))
