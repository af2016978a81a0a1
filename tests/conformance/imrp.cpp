// imrp-conformance: many clients issue random commands against one account of a post office, keep
// count of what they should see, meet at checkpoints and compare. The settings are those of
// fetch-mail(1), so that any IMRP server can be asked; the account must be empty at the beginning
// and is emptied at the end.

#include "arguments.hpp"
#include "exit_codes.hpp"
#include "imrp_view.hpp"
#include "office_client.hpp"

#include <ima/digest.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

namespace {

using namespace ima;
using conformance::view;

constexpr const char* program = "imrp-conformance";

struct options {
  std::uint64_t clients = 4;
  std::uint64_t rounds = 5;
  std::uint64_t commands = 40;
  std::uint64_t seed = 1;
};

// What the server acknowledged, of all clients.
struct ledger {
  std::mutex mutex;
  std::map<std::string, std::string> bodies;  // of messages that were made, by id
  std::set<std::string> deleted;
  std::vector<std::string> complaints;
  std::uint64_t commands = 0;

  void complain(std::string what) {
    const std::scoped_lock guard(mutex);
    complaints.push_back(std::move(what));
  }
  void made(const std::string& id, const std::string& body) {
    const std::scoped_lock guard(mutex);
    if (!bodies.emplace(id, body).second) complaints.push_back("the id " + id + " was given twice");
  }
  void removed(const std::string& id) {
    const std::scoped_lock guard(mutex);
    if (!deleted.insert(id).second) complaints.push_back(id + " was deleted twice");
  }
  std::string body_of(const std::string& id) {
    const std::scoped_lock guard(mutex);
    const auto found = bodies.find(id);
    return found == bodies.end() ? std::string() : found->second;
  }
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
    const auto id = sight_.client().append({folder(), {}, {}}, *header, source);
    if (!id) return id.error();
    book_.made(*id, body);
    return {};
  }

  result<void> flag(const std::string& where, const std::string& id) {
    static constexpr std::string_view words[] = {"seen", "flagged", "answered", "own"};
    retrieval::flag_change what;
    const std::string word(words[below(std::size(words))]);
    (below(2) == 0 ? what.add : what.remove).push_back(word);
    return outcome(sight_.client().flag(where, std::vector{id}, what));
  }

  result<void> move(const std::string& where, const std::string& id) {
    return outcome(sight_.client().move(where, folder(), std::vector{id}));
  }

  result<void> copy(const std::string& where, const std::string& id) {
    const auto made = sight_.client().copy(where, folder(), std::vector{id});
    if (!made) return made.error();
    if (!made->front().empty()) book_.made(made->front(), book_.body_of(id));
    return {};
  }

  result<void> remove(const std::string& where, const std::string& id) {
    const auto done = sight_.client().remove(where, std::vector{id});
    if (done && done->front() == retrieval::message_outcome::done) book_.removed(id);
    return outcome(done);
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

  template <class T>
  static result<void> outcome(const result<std::vector<T>>& done) {
    return done ? result<void>() : result<void>(done.error());
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
  for (const auto& [id, body] : book.bodies)
    if (all->contains(id) == book.deleted.contains(id))
      book.complain(id +
                    (all->contains(id) ? " was deleted and is there" : " was made and is lost"));
  for (const auto& [id, message] : *all)
    if (!book.bodies.contains(id)) book.complain(id + " was never made");
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

result<void> empty(view& sight) {
  const auto all = sight.list(1000);
  if (!all) return all.error();
  for (const auto& [id, m] : *all) {
    const auto gone = sight.client().remove(m.folder, std::vector{id});
    if (!gone) return gone.error();
  }
  return {};
}

result<void> run(const tools::office_settings& office, const options& given, ledger& book) {
  const std::vector<std::string> folders{"inbox", "test/one", "test/two"};
  std::vector<view> views;
  for (std::uint64_t i = 0; i < given.clients; ++i) {
    auto client = tools::open_office(office);
    if (!client) return client.error();
    for (std::size_t f = 1; f < folders.size() && i == 0; ++f)
      if (auto made = client->create_folder(folders[f]);
          !made && made.error().rule != "folder-exists")
        return made;
    views.emplace_back(*std::move(client), folders);
  }
  const auto before = views.front().list(1000);
  if (!before) return before.error();
  if (!before->empty())
    return error{fault::caller, "arguments", "", "the account is not empty: it would be emptied"};
  for (std::uint64_t round = 0; round < given.rounds && book.complaints.empty(); ++round) {
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < views.size(); ++i)
      threads.emplace_back([&, i] {
        player(views[i], book, folders, given.seed + round * 1000 + i).play(given.commands);
      });
    for (std::thread& t : threads) t.join();
    book.commands += given.commands * given.clients;
    if (auto good = compare(views, book, folders); !good) return good;
  }
  return empty(views.front());
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
  app.add_option("--seed", given.seed, "Of the random numbers")->capture_default_str();
  if (const auto status = tools::parse_arguments(app, argc, argv)) return *status;
  const auto office = tools::read_office_settings(arguments.file);
  if (!office) return tools::complain(program, office.error());
  ledger book;
  const auto good = run(*office, given, book);
  if (!good) return tools::complain(program, good.error());
  for (const std::string& complaint : book.complaints) fmt::print("FAIL {}\n", complaint);
  fmt::print("{} commands, {} complaints, seed {}\n", book.commands, book.complaints.size(),
             given.seed);
  return book.complaints.empty() ? tools::exit_ok : tools::exit_failed;
}
