// ima-admin mailbox …

#include "commands.hpp"
#include "exit_codes.hpp"
#include "index_path.hpp"
#include "log.hpp"
#include "output.hpp"
#include "quantities.hpp"

#include <ima/mailbox/file_system.hpp>
#include <ima/mailbox/mailbox.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace ima::tools::admin {

namespace {

struct settings {
  std::string path;
  std::string index;
  bool contents = false;
  std::optional<std::uint64_t> octets;
  std::optional<std::uint64_t> messages;
};

mailbox::options options_of(const settings& s) {
  if (s.index.empty()) return options_for(s.path);
  return {.index = s.index, .log = &warnings()};
}

using command = std::function<result<int>(const settings&)>;

mailbox::file_system& disk() { return mailbox::posix_file_system(); }

void print_names(const char* what, const std::vector<std::string>& names) {
  for (const auto& name : names) tools::print("{} {}\n", what, printable(name));
}

void print(const mailbox::report& found) {
  tools::print("torn {}\nunfinished {}\nstrays {}\ntombstones {}\n", found.torn, found.unfinished,
               found.strays, found.tombstones);
  print_names("missing", found.missing);
  print_names("unreadable", found.unreadable);
  print_names("odd", found.odd);
  print_names("absent", found.absent);
  print_names("damaged", found.damaged);
}

// Leftovers and old tombstones are no fault: the next recovery clears them.
bool is_sound(const mailbox::report& found) {
  return found.torn == 0 && found.strays == 0 && found.missing.empty() &&
         found.unreadable.empty() && found.odd.empty() && found.absent.empty() &&
         found.damaged.empty();
}

result<int> create(const settings& s) {
  if (auto made = mailbox::mailbox::create(disk(), s.path); !made) return made.error();
  return exit_ok;
}

result<int> check(const settings& s) {
  auto box = mailbox::mailbox::open(disk(), s.path, options_of(s));
  const auto found = box ? box->check(s.contents) : result<mailbox::report>(box.error());
  if (!found && found.error().rule == "journal-damaged") {
    tools::print("journal {}\n", printable(found.error().place));
    return exit_failed;
  }
  if (!found) return found.error();
  print(*found);
  return is_sound(*found) ? exit_ok : exit_failed;
}

result<int> repair(const settings& s) {
  const auto found = mailbox::mailbox::repair(disk(), s.path, options_of(s));
  if (!found) return found.error();
  print(*found);
  return exit_ok;
}

result<int> rebuild(const settings& s) {
  auto box = mailbox::mailbox::open(disk(), s.path, options_of(s));
  if (!box) return box.error();
  if (auto made = box->rebuild(); !made) return made.error();
  return exit_ok;
}

result<int> compact(const settings& s) {
  auto box = mailbox::mailbox::open(disk(), s.path, options_of(s));
  if (!box) return box.error();
  if (auto made = box->compact(); !made) return made.error();
  return exit_ok;
}

result<int> stat(const settings& s) {
  auto box = mailbox::mailbox::open(disk(), s.path, options_of(s));
  if (!box) return box.error();
  const auto folders = box->folders();
  if (!folders) return folders.error();
  for (const auto& f : *folders)
    tools::print("folder messages={} unseen={} octets={} role={} {}\n", f.messages, f.unseen,
                 f.size, f.role.empty() ? "-" : f.role, printable(f.name));
  return exit_ok;
}

result<int> quota(const settings& s) {
  auto box = mailbox::mailbox::open(disk(), s.path, options_of(s));
  if (!box) return box.error();
  auto now = box->quota();
  if (!now && !(s.octets && s.messages)) return now.error();
  if (s.octets || s.messages) {
    const auto old = now ? now->limits : mailbox::quota_limits();
    const auto kept =
        box->set_quota({s.octets.value_or(old.octets), s.messages.value_or(old.messages)});
    if (!kept) return kept.error();
    now = box->quota();
    if (!now) return now.error();
  }
  tools::print("octets {} of {}\nmessages {} of {}\n", now->octets, now->limits.octets,
               now->messages, now->limits.messages);
  return exit_ok;
}

CLI::App* add(CLI::App& subject, action& chosen, const std::shared_ptr<settings>& s,
              const char* name, const char* about, command what) {
  CLI::App* made = subject.add_subcommand(name, about);
  made->add_option("PATH", s->path, "Its directory")->required();
  made->callback([s, what = std::move(what), &chosen] {
    chosen = [s, what]() -> int {
      const auto done = what(*s);
      return done ? *done : complain(program, done.error());
    };
  });
  return made;
}

void add_index(CLI::App* to, const std::shared_ptr<settings>& s) {
  to->add_option("--index", s->index, "Where this host has its index");
}

void add_limit(CLI::App* to, const char* name, std::optional<std::uint64_t>& limit,
               std::optional<std::uint64_t> (*parse)(std::string_view), const char* help) {
  const auto take = [name, &limit, parse](const std::string& text) {
    limit = parse(text);
    if (!limit) throw CLI::ValidationError(name, "'" + text + "' is no limit");
  };
  to->add_option_function<std::string>(name, take, help);
}

}  // namespace

void add_mailbox_commands(CLI::App& app, action& chosen) {
  CLI::App* subject = app.add_subcommand("mailbox", "Mailboxes")->require_subcommand(1);
  const auto s = std::make_shared<settings>();
  add(*subject, chosen, s, "create", "Make an empty mailbox", create);
  CLI::App* checking = add(*subject, chosen, s, "check", "Look for damage, change nothing", check);
  checking->add_flag("--contents", s->contents, "Read every message and verify it");
  add_index(checking, s);
  add_index(add(*subject, chosen, s, "repair", "Put right what can be", repair), s);
  add_index(add(*subject, chosen, s, "rebuild", "Make the index anew", rebuild), s);
  add_index(
      add(*subject, chosen, s, "compact", "Write the journal anew, without the past", compact), s);
  add_index(add(*subject, chosen, s, "stat", "Show folders and what they hold", stat), s);
  CLI::App* limits = add(*subject, chosen, s, "quota", "Show or set limits", quota);
  add_limit(limits, "--octets", s->octets, parse_octet_count, "Limit of octets; 0 is none");
  add_limit(limits, "--messages", s->messages, parse_count, "Limit of messages; 0 is none");
  add_index(limits, s);
}

}  // namespace ima::tools::admin
