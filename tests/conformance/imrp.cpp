// imrp-conformance: many clients issue random commands against one account of a post office, keep
// count of what they should see, meet at checkpoints and compare. The settings are those of
// fetch-mail(1), so that any IMRP server can be asked; the account must be empty at the beginning
// and is emptied at the end.

#include "arguments.hpp"
#include "exit_codes.hpp"
#include "imrp_view.hpp"
#include "ledger.hpp"
#include "office_client.hpp"

#include <ima/digest.hpp>

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

namespace {

using namespace ima;
using conformance::ledger;
using conformance::view;

constexpr const char* program = "imrp-conformance";

struct options {
  std::uint64_t clients = 4;
  std::uint64_t rounds = 5;
  std::uint64_t commands = 40;
  std::uint64_t seconds = 0;
  std::uint64_t seed = 1;
};

class text_body : public body_source {
 public:
  explicit text_body(const std::string& text) : text_(text) {}
  result<void> read_at(std::uint64_t offset, char* buffer, std::size_t size) override {
    text_.copy(buffer, size, offset);
    return {};
  }

 private:
  const std::string& text_;
};

// One client's random commands. Each looks at the answer as far as it can be judged while others
// are at work.
class player {
 public:
  player(view& sight, ledger& book, const std::vector<std::string>& folders, std::uint64_t seed)
      : sight_(sight), book_(book), folders_(folders), random_(seed) {}

  void play(std::uint64_t commands) {
    for (; commands > 0; --commands) {
      const auto good = command();
      if (!good) return book_.complain("a command failed: " + good.error().message());
    }
  }

 private:
  std::size_t below(std::size_t most) {
    return std::uniform_int_distribution<std::size_t>(0, most - 1)(random_);
  }
  const std::string& folder() { return folders_[below(folders_.size())]; }

  result<void> command() {
    if (sight_.known().empty() || below(4) == 0) return append();
    auto at = sight_.known().begin();
    std::advance(at, static_cast<std::ptrdiff_t>(below(sight_.known().size())));
    const std::string id = at->first;
    const std::string where = at->second.folder;
    switch (below(7)) {
      case 0:
        return flag(where, id);
      case 1:
        return move(where, id);
      case 2:
        return copy(where, id);
      case 3:
        return remove(where, id);
      case 4:
        return fetch(where, id);
      case 5:
        return search(where, id);
      default:
        return sight_.follow(1 + below(20));
    }
  }

  result<void> append() {
    const std::string body = fmt::format("body {} of nobody\n", random_());
    header_builder builder;
    builder.field("from", "tester@test.example").field("subject", fmt::format("s{}", random_()));
    builder.part({body.size(), digest::of(body), "text/plain", "", "", "", ""});
    const auto header = builder.build();
    if (!header) return header.error();
    text_body source(body);
    retrieval::append_target target{folder(), {}, {}};
    if (below(2) == 0) target.flags = {"seen"};
    const auto id = sight_.client().append(target, *header, source);
    if (!id) return id.error();
    book_.made(*id, target.folder, {target.flags.begin(), target.flags.end()}, body);
    return {};
  }

  result<void> flag(const std::string& where, const std::string& id) {
    const std::string_view word = ledger::flags[below(std::size(ledger::flags))];
    const bool set = below(2) == 0;
    retrieval::flag_change what;
    (set ? what.add : what.remove).emplace_back(word);
    const std::size_t change = book_.flag_sent(id, word, set);
    const auto done = sight_.client().flag(where, std::vector{id}, what);
    if (!done) return done.error();
    book_.flag_answered(id, word, change, is_done(*done));
    return {};
  }

  result<void> move(const std::string& where, const std::string& id) {
    const std::string& target = folder();
    const auto done = sight_.client().move(where, target, std::vector{id});
    if (!done) return done.error();
    if (is_done(*done)) book_.moved(id, where, target);
    return {};
  }

  result<void> copy(const std::string& where, const std::string& id) {
    const std::string& target = folder();
    const auto made = sight_.client().copy(where, target, std::vector{id});
    if (!made) return made.error();
    if (!made->front().empty()) book_.copied(made->front(), target, id);
    return {};
  }

  result<void> remove(const std::string& where, const std::string& id) {
    const auto done = sight_.client().remove(where, std::vector{id});
    if (!done) return done.error();
    if (is_done(*done)) book_.removed(id, where);
    return {};
  }

  result<void> fetch(const std::string& where, const std::string& id) {
    std::string body;
    const auto got = sight_.client().fetch(where, id, 1, [&](octets piece) -> result<void> {
      body += piece;
      return {};
    });
    if (!got && got.error().rule == "no-message") return {};  // somebody was faster
    if (!got) return got.error();
    const std::string wanted = book_.body_of(id);
    if (!wanted.empty() && body != wanted) book_.complain(id + " has another's body");
    return {};
  }

  // A message that is where it was is found by its words; one that went meanwhile may not be.
  result<void> search(const std::string& where, const std::string& id) {
    if (!sight_.client().offers(retrieval::capability::search)) return {};
    std::string words = book_.body_of(id);
    if (words.empty()) return {};
    words.pop_back();
    retrieval::search_query query;
    query.text = {words};
    const auto got = sight_.client().search(where, "", 100, query);
    if (!got) return got.error();
    for (const std::string& found : got->ids)
      if (const std::string body = book_.body_of(found); !body.empty() && body != words + "\n")
        book_.complain(found + " was found by another's words");
    return {};
  }

  static bool is_done(const std::vector<retrieval::message_outcome>& outcomes) {
    return outcomes.front() == retrieval::message_outcome::done;
  }

  view& sight_;
  ledger& book_;
  const std::vector<std::string>& folders_;
  std::mt19937_64 random_;
};

// Nobody is at work: what everybody sees must be the same, and what was acknowledged.
result<void> compare(std::vector<view>& views, ledger& book,
                     const std::vector<std::string>& folders) {
  for (view& v : views)
    if (auto good = v.follow(7); !good) return good;
  const auto all = views.front().list(1000);
  if (!all) return all.error();
  for (view& v : views)
    if (auto what = difference(v.known(), *all); !what.empty())
      book.complain("a view that followed the changes differs from a new list: " + what);
  book.compare(*all);
  for (const std::string& folder : folders) {
    const auto status = views.front().client().status(folder);
    if (!status) return status.error();
    retrieval::folder_status counted;
    for (const auto& [id, m] : *all) {
      if (m.folder != folder) continue;
      ++counted.messages;
      counted.unseen += m.flags.contains("seen") ? 0 : 1;
      counted.size += m.size;
    }
    if (std::tie(status->messages, status->unseen, status->size) !=
        std::tie(counted.messages, counted.unseen, counted.size))
      book.complain("STATUS of " + folder + " is not what the list says");
  }
  return {};
}

result<void> empty(view& sight, const std::vector<std::string>& folders) {
  const auto all = sight.list(1000);
  if (!all) return all.error();
  for (const std::string& folder : folders) {
    std::vector<std::string> ids;
    for (const auto& [id, m] : *all)
      if (m.folder == folder) ids.push_back(id);
    if (ids.empty()) continue;
    const auto gone = sight.client().remove(folder, ids);
    if (!gone) return gone.error();
  }
  return {};
}

result<std::vector<view>> open_views(const tools::office_settings& office, std::uint64_t clients,
                                     const std::vector<std::string>& folders) {
  std::vector<view> views;
  for (std::uint64_t i = 0; i < clients; ++i) {
    auto client = tools::open_office(office);
    if (!client) return client.error();
    for (std::size_t f = 1; f < folders.size() && i == 0; ++f)
      if (auto made = client->create_folder(folders[f]);
          !made && made.error().rule != "folder-exists")
        return made.error();
    views.emplace_back(*std::move(client), folders);
  }
  const auto before = views.front().list(1000);
  if (!before) return before.error();
  if (!before->empty())
    return error{fault::caller, "arguments", "", "the account is not empty: it would be emptied"};
  return views;
}

// All clients at once, each to the end of its commands.
void play(std::vector<view>& views, ledger& book, const std::vector<std::string>& folders,
          std::uint64_t commands, std::uint64_t seed) {
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < views.size(); ++i)
    threads.emplace_back([&views, &book, &folders, commands, seed, i] {
      player(views[i], book, folders, seed + i).play(commands);
    });
  for (std::thread& t : threads) t.join();
}

// Returns how many commands there were.
result<std::uint64_t> run(const tools::office_settings& office, const options& given,
                          ledger& book) {
  const std::vector<std::string> folders{"inbox", "test/one", "test/two"};
  auto views = open_views(office, given.clients, folders);
  if (!views) return views.error();
  std::uint64_t commands = 0;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(given.seconds);
  for (std::uint64_t round = 0; round < given.rounds && book.complaints().empty(); ++round) {
    if (given.seconds > 0 && std::chrono::steady_clock::now() >= end) break;
    play(*views, book, folders, given.commands, given.seed + round * 1000);
    commands += given.commands * given.clients;
    if (auto good = compare(*views, book, folders); !good) return good.error();
  }
  if (auto good = empty(views->front(), folders); !good) return good.error();
  return commands;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Tests a post office with many clients at one account.", program);
  tools::config_arguments arguments;
  tools::add_config_arguments(app, arguments);
  app.get_option("--config")->required();
  options given;
  app.add_option("--clients", given.clients, "At the same time")->capture_default_str();
  app.add_option("--rounds", given.rounds, "Each ends with a checkpoint")->capture_default_str();
  app.add_option("--commands", given.commands, "Of each client in a round")->capture_default_str();
  app.add_option("--seconds", given.seconds, "After so many no round begins; 0: all rounds")
      ->capture_default_str();
  app.add_option("--seed", given.seed, "Of the random numbers")->capture_default_str();
  if (const auto status = tools::parse_arguments(app, argc, argv)) return *status;
  const auto office = tools::read_office_settings(arguments.file);
  if (!office) return tools::complain(program, office.error());
  ledger book;
  const auto commands = run(*office, given, book);
  if (!commands) return tools::complain(program, commands.error());
  for (const std::string& complaint : book.complaints()) fmt::print("FAIL {}\n", complaint);
  fmt::print("{} commands, {} complaints, seed {}\n", *commands, book.complaints().size(),
             given.seed);
  return book.complaints().empty() ? tools::exit_ok : tools::exit_failed;
}
