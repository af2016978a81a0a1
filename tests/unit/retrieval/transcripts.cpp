#include "retrieval/option_grammar.hpp"
#include "retrieval/request_grammar.hpp"
#include "retrieval/wire_words.hpp"
#include "transcript.hpp"

#include <ima/retrieval/client.hpp>
#include <ima/retrieval/server.hpp>

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <deque>
#include <memory>
#include <string>
#include <variant>
#include <vector>

// The words are those of tests/transcripts/retrieval/README.md.

using namespace ima;
using namespace ima::retrieval;

namespace {

std::string escape(octets text) {
  if (text.empty()) return "-";
  std::string out;
  for (const char c : text) {
    if (c == '\n')
      out += "\\n";
    else if (c == ' ')
      out += "\\s";
    else
      out += c;
  }
  return out;
}

std::string unescape(const std::string& text) {
  return text == "-" ? std::string() : transcript::unescape(text);
}

class words {
 public:
  explicit words(std::string_view text) {
    for (std::size_t at = 0; at <= text.size();) {
      const std::size_t space = std::min(text.find(' ', at), text.size());
      words_.emplace_back(text.substr(at, space - at));
      at = space + 1;
    }
  }
  std::string next() {
    REQUIRE_FALSE(words_.empty());
    std::string first = words_.front();
    words_.pop_front();
    return first;
  }
  std::uint64_t number() { return std::stoull(next()); }
  std::string folder() { return folder_from_wire(next()).value(); }
  bool empty() const { return words_.empty(); }
  std::vector<std::string> rest() { return {words_.begin(), words_.end()}; }
  std::string text() { return fmt::format("{}", fmt::join(words_, " ")); }

 private:
  std::deque<std::string> words_;
};

std::string no_dash(std::string word) { return word == "-" ? std::string() : word; }

struct describe_request {
  std::string operator()(const request::authenticate& r) const {
    if (!r.password) return fmt::format("auth {} certificate", r.user);
    return fmt::format("auth {} password {}", r.user, escape(r.password->view()));
  }
  std::string operator()(const request::folders&) const { return "FOLDERS"; }
  std::string operator()(const request::status& r) const {
    return "STATUS " + folder_to_wire(r.folder);
  }
  std::string operator()(const request::changes& r) const {
    return fmt::format("CHANGES {} {} {}", folder_to_wire(r.folder), r.token, r.page);
  }
  std::string operator()(const request::headers& r) const {
    return fmt::format("HEADERS {} {}", folder_to_wire(r.folder), fmt::join(r.ids, " "));
  }
  std::string operator()(const request::fetch& r) const {
    return fmt::format("FETCH {} {} {} {} {}", folder_to_wire(r.folder), r.id, r.part, r.offset,
                       r.length ? std::to_string(*r.length) : "end");
  }
  std::string operator()(const request::flag& r) const {
    std::string out = fmt::format("FLAG {} {}", folder_to_wire(r.folder), fmt::join(r.ids, " "));
    for (const auto& flag : r.what.add) out += " +" + flag;
    for (const auto& flag : r.what.remove) out += " -" + flag;
    if (r.what.only_if_seq) out += fmt::format(" if-seq={}", *r.what.only_if_seq);
    return out;
  }
  std::string operator()(const request::remove& r) const {
    return fmt::format("DELETE {} {}", folder_to_wire(r.folder), fmt::join(r.ids, " "));
  }
  std::string operator()(const request::move& r) const { return transfer("MOVE", r); }
  std::string operator()(const request::copy& r) const { return transfer("COPY", r); }

  std::string operator()(const request::create_folder& r) const {
    return fmt::format("CREATE-FOLDER {}{}{}", folder_to_wire(r.folder), r.role.empty() ? "" : " ",
                       r.role);
  }
  std::string operator()(const request::rename_folder& r) const {
    return fmt::format("RENAME-FOLDER {} {}", folder_to_wire(r.folder), folder_to_wire(r.target));
  }
  std::string operator()(const request::delete_folder& r) const {
    return "DELETE-FOLDER " + folder_to_wire(r.folder);
  }
  std::string operator()(const request::append& r) const {
    return fmt::format("APPEND {} {} {} {}", folder_to_wire(r.what.folder),
                       flags_to_wire(r.what.flags), time_to_wire(r.what.arrived), escape(r.block));
  }
  std::string operator()(const request::send& r) const {
    return fmt::format("SEND {}{}", escape(r.block), write_send_options(r.options).value());
  }
  std::string operator()(const request::search& r) const {
    return write_search(r.folder, r.cursor, r.page, r.query).value();
  }
  std::string operator()(const request::quota&) const { return "QUOTA"; }
  std::string operator()(const request::password& r) const {
    return fmt::format("password {} {}", escape(r.old_password.view()),
                       escape(r.new_password.view()));
  }
  std::string operator()(const request::watch& r) const { return write_watch(r.folders).value(); }
  std::string operator()(const request::queue&) const { return "QUEUE"; }

  template <class Request>
  static std::string transfer(std::string_view word, const Request& r) {
    return fmt::format("{} {} {} {}", word, folder_to_wire(r.folder), folder_to_wire(r.target),
                       fmt::join(r.ids, " "));
  }
};

entry read_entry(words& w) {
  entry e;
  e.id = w.next();
  e.seq = w.number();
  e.size = w.number();
  const std::string flags = no_dash(w.next());
  for (std::size_t at = 0; at < flags.size();) {
    const std::size_t comma = std::min(flags.find(',', at), flags.size());
    e.flags.push_back(flags.substr(at, comma - at));
    at = comma + 1;
  }
  e.arrived = timestamp::parse(w.next()).value();
  return e;
}

std::string describe(const change& c) {
  if (!c.present) return "absent " + c.id;
  const entry& e = *c.present;
  const std::string flags = fmt::format("{}", fmt::join(e.flags, ","));
  return fmt::format("entry {} {} {} {} {}", e.id, e.seq, e.size, flags.empty() ? "-" : flags,
                     e.arrived.text());
}

std::string describe(const recipient_outcome& o) {
  return fmt::format("outcome {} {} {}", to_string(o.what), o.recipient.text(), or_dash(o.text));
}

recipient_outcome read_outcome(words& w) {
  using kind = recipient_outcome::kind;
  const std::string word = w.next();
  kind what = kind::ok;
  for (const kind k : {kind::queued, kind::fail, kind::defer})
    if (to_string(k) == word) what = k;
  const std::string recipient = w.next();
  return {what, address::parse(recipient).value(), no_dash(w.text())};
}

queued_message read_queued(words& w) {
  std::string id = w.next();
  address recipient = address::parse(w.next()).value();
  const timestamp since = timestamp::parse(w.next()).value();
  const auto next = time_from_wire(w.next());
  return {std::move(id), std::move(recipient), since, next, no_dash(w.text())};
}

std::optional<std::uint64_t> read_limit(words& w) {
  const std::string word = w.next();
  if (word == "-") return std::nullopt;
  return std::stoull(word);
}

std::string describe(const quota_status& q) {
  const auto most = [](const std::optional<std::uint64_t>& m) {
    return m ? std::to_string(*m) : "-";
  };
  return fmt::format("quota {} {} {} {}", q.size, most(q.max_size), q.messages,
                     most(q.max_messages));
}

class server_role {
 public:
  char side() const { return 'S'; }
  void receive(std::string_view octets) { session_.receive(octets); }
  void receive_eof() { session_.receive_eof(); }

  void poll(transcript::reports& seen) {
    for (;;) {
      auto event = session_.next_event();
      REQUIRE(event);
      if (auto* request = std::get_if<any_request>(&*event)) {
        seen.add(std::visit(describe_request{}, *request));
        continue;
      }
      if (const auto* piece = std::get_if<body_octets>(&*event)) {
        seen.add("octets " + escape(piece->bytes));
        continue;
      }
      if (const auto* over = std::get_if<body_end>(&*event)) {
        seen.add(over->cancelled ? "body-cancelled" : "body-end");
        continue;
      }
      const auto* end = std::get_if<closed>(&*event);
      if (end != nullptr && !reported_closed_) {
        seen.add(end->why ? fmt::format("closed {}", end->why->rule) : "closed");
        reported_closed_ = true;
      }
      return;
    }
  }

  void decide(std::string_view text) {
    words w(text);
    const std::string verb = w.next();
    const auto outcome = act(verb, w);
    if (!outcome) FAIL(outcome.error().message());
  }

  std::string take_output() {
    std::string out(session_.pending_output());
    session_.sent(out.size());
    return out;
  }

 private:
  result<void> act(const std::string& verb, words& w) {
    if (verb == "authenticated") return session_.authenticated();
    if (verb == "folder") {
      std::string role = no_dash(w.next());
      return session_.folder({w.folder(), std::move(role)});
    }
    if (verb == "entry") {
      const entry e = read_entry(w);
      return session_.change_line({e.id, e});
    }
    if (verb == "absent") return session_.change_line({w.next(), {}});
    if (verb == "gone") return session_.gone(w.next());
    if (verb == "changed") return session_.changed(w.next());
    if (verb == "copied") {
      const std::string id = w.next();
      return session_.copied(id, w.next());
    }
    if (verb == "header") {
      const std::string id = w.next();
      const std::string block = unescape(w.next());
      return session_.header(id, {block, unescape(w.next())});
    }
    if (verb == "part") {
      const std::uint64_t offset = w.number();
      return session_.part_begin(offset, w.number());
    }
    if (verb == "octets") return session_.part_octets(unescape(w.next()));
    if (verb == "broken") return session_.part_broken({fault::temporary, "part-read", "", ""});
    if (verb == "found") return session_.found(w.next());
    if (verb == "queued") return session_.queued(read_queued(w));
    if (verb == "outcome") return session_.outcome(read_outcome(w));
    if (verb == "accept") return session_.accept(w.number());
    if (verb == "note") {
      const std::string host = no_dash(w.next());
      return session_.note(host, w.text());
    }
    return end(verb, w);
  }

  result<void> end(const std::string& verb, words& w) {
    if (verb == "id") return session_.ok_id(w.next());
    if (verb == "cursor") return session_.ok_cursor(no_dash(w.next()));
    if (verb == "quota") {
      quota_status q;
      q.size = w.number();
      q.max_size = read_limit(w);
      q.messages = w.number();
      q.max_messages = read_limit(w);
      return session_.ok(q);
    }
    if (verb == "verdict") {
      const send_verdict what = send_verdict_from(w.next()).value();
      return session_.ok(send_end{what, no_dash(w.next())});
    }
    if (verb == "event") {
      std::string folder = w.folder();
      session_.event({std::move(folder), w.next()});
    }
    if (verb == "ok") return session_.ok();
    if (verb == "status") {
      folder_status s;
      s.messages = w.number();
      s.unseen = w.number();
      s.size = w.number();
      s.token = w.next();
      return session_.ok(s);
    }
    if (verb == "token") {
      const std::string token = w.next();
      return session_.ok(token, !w.empty());
    }
    if (verb == "fail") {
      const reason why = reason_from(w.next()).value();
      return session_.fail(why, w.text());
    }
    if (verb == "shut-down") session_.shut_down();
    if (verb == "time-out") session_.time_out();
    return {};
  }

  server session_{{"b.example", {}}};
  bool reported_closed_ = false;
};

struct describe_reply {
  std::string operator()(const reply::need_input&) const { return {}; }
  std::string operator()(const reply::greeting& r) const {
    return r.capabilities.empty() ? "greeting"
                                  : fmt::format("greeting {}", fmt::join(r.capabilities, " "));
  }
  std::string operator()(const reply::folder& r) const {
    return fmt::format("folder {} {}", r.info.role.empty() ? "-" : r.info.role,
                       folder_to_wire(r.info.name));
  }
  std::string operator()(const reply::changed_entry& r) const { return describe(r.what); }
  std::string operator()(const reply::header& r) const {
    return fmt::format("header {} {} {}", r.id, escape(r.block), escape(r.record));
  }
  std::string operator()(const reply::gone& r) const { return "gone " + r.id; }
  std::string operator()(const reply::changed& r) const { return "changed " + r.id; }
  std::string operator()(const reply::copied& r) const {
    return fmt::format("copied {} {}", r.id, r.new_id);
  }
  std::string operator()(const reply::part_begin& r) const {
    return fmt::format("part {} {} {} {}", r.id, r.part, r.offset, r.length);
  }
  std::string operator()(const reply::part_octets& r) const { return "octets " + escape(r.bytes); }
  std::string operator()(const reply::accepted&) const { return "accepted"; }
  std::string operator()(const reply::found& r) const { return "found " + r.id; }
  std::string operator()(const reply::outcome& r) const { return describe(r.what); }
  std::string operator()(const reply::note& r) const {
    return fmt::format("note {} {}", or_dash(r.host), r.text);
  }
  std::string operator()(const reply::queued& r) const {
    return fmt::format("queued {} {} {} {} {}", r.what.id, r.what.recipient.text(),
                       r.what.since.text(), time_to_wire(r.what.next), or_dash(r.what.text));
  }
  std::string operator()(const reply::event& r) const {
    return fmt::format("event {} {}", folder_to_wire(r.now.folder), r.now.token);
  }
  std::string operator()(const reply::done& r) const {
    if (r.failed)
      return fmt::format("{} {} {}", r.failed->temporary ? "defer" : "fail",
                         to_string(r.failed->why), r.failed->text);
    if (r.status)
      return fmt::format("status {} {} {} {}", r.status->messages, r.status->unseen, r.status->size,
                         r.status->token);
    if (!r.token.empty()) return fmt::format("token {}{}", r.token, r.more ? " more" : "");
    if (!r.id.empty()) return "id " + r.id;
    if (!r.cursor.empty()) return "cursor " + r.cursor;
    if (r.quota) return describe(*r.quota);
    if (r.sent)
      return fmt::format("verdict {} {}", to_string(r.sent->what), or_dash(r.sent->saved));
    return "ok";
  }
  std::string operator()(const reply::closed&) const { return "closed"; }
};

class client_role {
 public:
  char side() const { return 'C'; }
  void receive(std::string_view octets) { session_.receive(octets); }
  void receive_eof() { session_.receive_eof(); }

  void poll(transcript::reports& seen) {
    while (!over_) {
      auto event = session_.next_event();
      if (!event) {
        seen.add(fmt::format("error {}", event.error().rule));
        over_ = true;
        return;
      }
      if (std::holds_alternative<reply::need_input>(*event)) return;
      over_ = std::holds_alternative<reply::closed>(*event);
      seen.add(std::visit(describe_reply{}, *event));
    }
  }

  void decide(std::string_view text) {
    words w(text);
    const std::string verb = w.next();
    const auto outcome = act(verb, w);
    if (!outcome) FAIL(outcome.error().message());
  }

  std::string take_output() {
    std::string out(session_.pending_output());
    session_.sent(out.size());
    return out;
  }

 private:
  result<void> act(const std::string& verb, words& w) {
    if (verb == "auth") {
      const std::string user = w.next();
      return session_.authenticate(user, unescape(w.next()));
    }
    if (verb == "certificate") return session_.authenticate(w.next());
    if (verb == "folders") return session_.folders();
    if (verb == "done") return session_.done();
    if (verb == "quota") return session_.quota();
    if (verb == "queue") return session_.queue();
    if (verb == "cancel") return session_.cancel();
    if (verb == "body") return session_.body(unescape(w.next()));
    if (verb == "watch") return watch(w);
    if (verb == "send") return send(w);
    if (verb == "password") {
      const std::string old_password = unescape(w.next());
      return session_.change_password(old_password, unescape(w.next()));
    }
    const std::string folder = w.folder();
    if (verb == "status") return session_.status(folder);
    if (verb == "changes") {
      const std::string token = w.next();
      return session_.changes(folder, token, w.number());
    }
    if (verb == "headers") return session_.headers(folder, w.rest());
    if (verb == "delete") return session_.remove(folder, w.rest());
    if (verb == "fetch") return fetch(folder, w);
    if (verb == "flag") return flag(folder, w);
    if (verb == "append") return append(folder, w);
    if (verb == "search") return search(folder, w);
    if (verb == "delete-folder") return session_.delete_folder(folder);
    if (verb == "create-folder") return session_.create_folder(folder, w.empty() ? "" : w.next());
    const std::string target = w.folder();
    if (verb == "rename-folder") return session_.rename_folder(folder, target);
    if (verb == "move") return session_.move(folder, target, w.rest());
    REQUIRE(verb == "copy");
    return session_.copy(folder, target, w.rest());
  }

  result<void> watch(words& w) {
    std::vector<watched_folder> folders;
    while (!w.empty()) {
      std::string folder = w.folder();
      folders.push_back({std::move(folder), w.next()});
    }
    return session_.watch(folders);
  }

  result<void> send(words& w) {
    const header_block header = header_block::parse(unescape(w.next())).value();
    const std::string options = w.text();
    std::string_view rest(options);
    return session_.send(read_send_options(rest).value(), header);
  }

  result<void> append(const std::string& folder, words& w) {
    const std::string flags = w.next();
    const std::string arrived = w.next();
    const header_block header = header_block::parse(unescape(w.next())).value();
    return session_.append({folder, flags_from_wire(flags).value(), time_from_wire(arrived)},
                           header);
  }

  result<void> search(const std::string& folder, words& w) {
    const std::string cursor = no_dash(w.next());
    const std::uint64_t page = w.number();
    const std::string criteria = w.text();
    std::string_view rest(criteria);
    return session_.search(folder, cursor, page, read_criteria(rest).value());
  }

  result<void> fetch(const std::string& folder, words& w) {
    const std::string id = w.next();
    const std::uint64_t part = w.number();
    if (w.empty()) return session_.fetch(folder, id, part);
    const std::uint64_t offset = w.number();
    return session_.fetch(folder, id, part, offset, w.number());
  }

  result<void> flag(const std::string& folder, words& w) {
    const std::string id = w.next();
    const std::string seq = no_dash(w.next());
    flag_change what;
    if (!seq.empty()) what.only_if_seq = std::stoull(seq);
    for (const std::string& word : w.rest())
      (word[0] == '+' ? what.add : what.remove).push_back(word.substr(1));
    return session_.flag(folder, std::vector{id}, what);
  }

  client session_{{"b.example", {}}};
  bool over_ = false;
};

}  // namespace

TEST_CASE("a server obeys every transcript, in whatever pieces the octets come") {
  transcript::replay_all("retrieval", [] { return server_role(); });
  transcript::replay_all("retrieval-capabilities", [] { return server_role(); });
}

TEST_CASE("a client obeys every transcript, in whatever pieces the octets come") {
  transcript::replay_all("retrieval", [] { return client_role(); });
  transcript::replay_all("retrieval-capabilities", [] { return client_role(); });
}
