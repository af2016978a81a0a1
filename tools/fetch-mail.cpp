// Copies a mailbox from a post office into a local directory (docs/man/fetch-mail.1.scd).

#include "json.hpp"
#include "log.hpp"
#include "maildir_view.hpp"
#include "output.hpp"
#include "user_main.hpp"

#include <ima/mailbox/file_system.hpp>
#include <ima/mailbox/mailbox.hpp>
#include <ima/mirror/mirror.hpp>
#include <ima/terminal_text.hpp>

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace ima;

constexpr const char* program = "fetch-mail";

struct options {
  std::string directory;
  std::string maildir;  // that shows the directory; empty: none
  tools::office_settings office;
  mirror::mirror_options mirror;
  bool headers_only = false;
  bool watch = false;
  bool json = false;
};

result<mailbox::mailbox> open_directory(const std::string& path) {
  mailbox::file_system& disk = mailbox::posix_file_system();
  const auto there = disk.status(path + "/format");
  if (!there) return there.error();
  if (!*there)
    if (auto made = mailbox::mailbox::create(disk, path); !made) return made.error();
  return mailbox::mailbox::open(disk, path, {.index = "", .log = &tools::warnings()});
}

// How far it is, on one line of a terminal that is written over. Nothing where nobody looks.
class progress_line {
 public:
  void show(const mirror::mirror_progress& p) {
    const auto now = std::chrono::steady_clock::now();
    if (!terminal_ || now - shown_ < std::chrono::milliseconds(200)) return;
    shown_ = now;
    tools::print_error("\r{}: {} messages, {:.1f} MiB\x1b[K", printable(p.folder), p.messages,
                       static_cast<double>(p.octets) / (1 << 20));
    drawn_ = true;
  }
  void clear() {
    if (std::exchange(drawn_, false)) tools::print_error("\r\x1b[K");
  }

 private:
  const bool terminal_ = ::isatty(STDERR_FILENO) != 0;
  std::chrono::steady_clock::time_point shown_;
  bool drawn_ = false;
};

void print(const mirror::new_message& m, bool json) {
  if (json) {
    tools::json_writer out;
    out.object().key("folder").text(m.folder).key("id").text(m.id);
    out.key("verified-domain").text(m.verified_domain).key("from").text(m.from);
    out.key("subject").text(m.subject).end();
    tools::print("{}\n", out.str());
  } else {
    const std::string domain = m.verified_domain.empty() ? "-" : printable(m.verified_domain);
    tools::print("{} {} {} {} {}\n", printable(m.folder), m.id, domain, printable_name(m.from),
                 printable(m.subject));
  }
  std::fflush(stdout);  // whoever reads a pipe wants it now
}

struct run {
  options& given;
  mailbox::mailbox& local;
  mirror::download_folder& downloads;
  progress_line progress = {};

  // Brings everything up to date; then, if asked, again whenever something changes.
  result<void> over(net::retrieval_client& office) {
    mirror::mirror copy(office, local, downloads, given.mirror);
    for (;;) {
      const auto report = [&](const mirror::new_message& m) {
        progress.clear();
        print(m, given.json);
      };
      const auto show = [&](const mirror::mirror_progress& p) { progress.show(p); };
      auto good = given.headers_only ? copy.list(report) : copy.update(report, show);
      progress.clear();
      if (!good) return good;
      auto shown = show_maildir();
      if (!shown) return shown.error();
      shown->insert(shown->end(), copy.failures().begin(), copy.failures().end());
      const auto complete = complain_of(*shown);
      if (!given.watch) {
        if (auto done = office.done(); !done) return done;
        return complete;
      }
      if (auto change = wait(office, copy); !change) return change;
      if (auto taken = show_maildir(); !taken) return taken.error();
    }
  }

  // The rest is done; those that failed are tried again by the next run.
  static result<void> complain_of(const std::vector<error>& failures) {
    for (const error& one : failures) tools::print_error("{}: {}\n", program, one.message());
    return tools::all_but(failures.size());
  }

  // Before an update it takes over the flags that were changed there, and shows what came after it.
  // Returns what the Maildir is without, as it could not be read.
  result<std::vector<error>> show_maildir() const {
    if (given.maildir.empty()) return std::vector<error>();
    return tools::update_maildir(local, given.maildir);
  }

  // The longest wait lets both sides find out that the other is gone.
  // Folders beyond those that can be watched are looked at then.
  result<void> wait(net::retrieval_client& office, const mirror::mirror& copy) const {
    const std::span<const retrieval::watched_folder> all(copy.states());
    const auto some = all.first(std::min(all.size(), given.mirror.bounds.watched));
    if (auto good = office.watch(some); !good) return good;
    const auto change = office.wait_for_change(std::chrono::minutes(10));
    return change ? result<void>() : change.error();
  }
};

// A post office ends each connection at its age, and networks do so as they like.
bool is_connection_lost(const error& why) {
  return why.rule == "connection" || why.rule == "connection-lost" || why.rule == "tls-truncated" ||
         why.rule == "shutdown";
}

// With --watch what fails for now is tried again, later each time; without, where a connection that
// was of use ends.
result<void> fetch(options& given) {
  auto local = open_directory(given.directory);
  if (!local) return local.error();
  auto downloads = mirror::download_folder::open(given.directory);
  if (!downloads) return downloads.error();
  run work{given, *local, *downloads};
  // Flags that were changed there go along. Where it cannot be updated, mail is fetched all the
  // same, and the update behind that fails too.
  if (auto shown = work.show_maildir(); !shown)
    tools::print_error("{}: {}\n", program, shown.error().message());
  for (auto pause = std::chrono::seconds(1);;
       pause = std::min(2 * pause, std::chrono::seconds(300))) {
    const auto began = std::chrono::steady_clock::now();
    auto office = tools::open_office(given.office);
    const auto good = office ? work.over(*office) : result<void>(office.error());
    if (good) return good;
    // A folder that nobody asked for by name went after it was listed: the next list is without it.
    const bool went = good.error().rule == "no-folder" && given.mirror.folders.empty();
    const bool for_now =
        went || good.error().kind == fault::temporary || good.error().kind == fault::unknown;
    const bool lasted = std::chrono::steady_clock::now() - began > std::chrono::minutes(5);
    const bool go_on = given.watch || (lasted && is_connection_lost(good.error()));
    if (!go_on || !for_now) return good;
    tools::print_error("{}: {}\n", program, good.error().message());
    if (lasted) pause = std::chrono::seconds(1);
    std::this_thread::sleep_for(pause);
  }
}

void add_options(CLI::App& app, options& given) {
  app.add_option("DIRECTORY", given.directory, "The local mailbox; made where it does not exist");
  app.add_option("--folder", given.mirror.folders, "Only this folder; may be repeated")
      ->allow_extra_args(false);
  auto* maildir = app.add_option("--maildir", given.maildir,
                                 "Keep this Maildir as the directory is; flags go both ways");
  auto* two_way = app.add_flag("--two-way", given.mirror.two_way,
                               "Flags, moves and deletions made here go to the post office, too");
  auto* after = app.add_flag("--delete-after", given.mirror.delete_after,
                             "Delete at the post office what is here");
  auto* headers = app.add_flag("--headers-only", given.headers_only,
                               "Only say what is new there; keep nothing but that it was said");
  two_way->excludes(after);
  headers->excludes(two_way)->excludes(after)->excludes(maildir);
  app.add_flag("--watch", given.watch, "Stay, and bring what comes within a second");
  app.add_flag("--json", given.json, "Write one JSON object for each message");
}

int run_with(options& given) {
  if (given.directory.empty())
    return tools::complain(program, {fault::caller, "arguments", "DIRECTORY", "which directory?"});
  given.mirror.path = given.directory;
  given.mirror.source = fmt::format("{}\n{}", given.office.client.host, given.office.user);
  given.mirror.bounds = given.office.client.bounds;
  const auto good = fetch(given);
  return good ? tools::exit_ok : tools::complain(program, good.error());
}

}  // namespace

int main(int argc, char** argv) {
  options given;
  return tools::user_main(
      program, "Copies a mailbox from a post office into a local directory.", argc, argv,
      [&](CLI::App& app) { add_options(app, given); },
      [&](tools::office_settings office) {
        given.office = std::move(office);
        return run_with(given);
      });
}
