#pragma once

#include <ima/retrieval/backend.hpp>

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

// A back end that keeps one folder in memory, for tests of what stands in front of back ends.

namespace memory_mail {

using namespace ima;
using namespace ima::retrieval;

struct message {
  std::string header;
  std::vector<std::string> parts;
  std::vector<std::string> flags;
  std::uint64_t seq = 0;
  std::string record = "ima-record: 1\ndomain: a.example\n\n";
};

struct store {
  std::map<std::string, message> inbox;
  std::uint64_t seq = 0;
  std::uint64_t fail_reading_at = UINT64_MAX;  // a disk that breaks at this offset
  std::atomic<std::uint64_t> octets_read = 0;  // of parts
  std::vector<std::string> folders{"inbox"};
  std::string password = "swordfish";
  std::size_t too_many = 0;                    // answers about messages that nobody named
  std::uint64_t fail_writing_at = UINT64_MAX;  // a disk that is full after so many octets
  std::vector<recipient_outcome> outcomes;     // of the next SEND
  std::optional<submission::report> known;     // of a SEND before
  std::vector<std::string> sent;               // bodies
  std::function<void()> while_sending = [] {};
  std::mutex watch_mutex;
  account::tell_change watcher;       // guarded by watch_mutex
  std::function<void()> over;         // the same
  std::atomic<bool> removed = false;  // the user may not go on

  void tell(const watched_folder& now) {
    const std::scoped_lock guard(watch_mutex);
    if (watcher) watcher(now);
  }
  void remove_user() {
    removed = true;
    const std::scoped_lock guard(watch_mutex);
    if (watcher) over();
  }
};

class watching : public subscription {
 public:
  explicit watching(store& s) : store_(s) {}
  ~watching() override {
    const std::scoped_lock guard(store_.watch_mutex);
    store_.watcher = nullptr;
    store_.over = nullptr;  // it knows the connection's event loop, which the store may outlive
  }

 private:
  store& store_;
};

/// Keeps the parts of a message one after the other.
class kept_parts {
 public:
  explicit kept_parts(store& s) : store_(s) {}
  result<void> write(const part_slice& slice) {
    parts_.resize(std::max(parts_.size(), slice.part() + 1));
    parts_[slice.part()] += slice.bytes();
    written_ += slice.bytes().size();
    if (written_ > store_.fail_writing_at)
      return error{fault::temporary, "disk-full", "/secret/path", "no space left"};
    return {};
  }
  std::vector<std::string> take() { return std::move(parts_); }

 private:
  store& store_;
  std::vector<std::string> parts_;
  std::uint64_t written_ = 0;
};

class sink : public message_sink {
 public:
  sink(store& s, append_target what, header_block header)
      : store_(s), what_(std::move(what)), header_(std::move(header)), parts_(s) {}
  result<void> write(const part_slice& slice) override { return parts_.write(slice); }
  result<std::string> commit() override {
    const std::string id = "a" + std::to_string(++store_.seq);
    store_.inbox[id] = {std::string(header_.text()), parts_.take(), what_.flags, store_.seq};
    return id;
  }

 private:
  store& store_;
  append_target what_;
  header_block header_;
  kept_parts parts_;
};

class sending : public submission {
 public:
  sending(store& s, bool save) : store_(s), save_(save), parts_(s) {}
  const report* known() const noexcept override { return store_.known ? &*store_.known : nullptr; }
  result<void> write(const part_slice& slice) override { return parts_.write(slice); }
  result<send_end> finish(const tell_outcome& outcome, const tell_note& note) override {
    std::string body;
    for (const std::string& part : parts_.take()) body += part;
    store_.sent.push_back(body);
    store_.while_sending();
    for (const auto& o : store_.outcomes) outcome(o);
    note("a.example", "thank you");
    return send_end{send_verdict::delivered, save_ ? "s1" : ""};
  }

 private:
  store& store_;
  bool save_;
  kept_parts parts_;
};

class source : public part_source {
 public:
  source(std::string text, store& s) : text_(std::move(text)), store_(s) {}
  std::uint64_t size() const noexcept override { return text_.size(); }
  result<std::size_t> read_at(std::uint64_t offset, std::span<char> into) override {
    if (offset + into.size() > store_.fail_reading_at)
      return error{fault::temporary, "file-read", "/secret/path", "input/output error"};
    store_.octets_read += into.size();
    return text_.copy(into.data(), into.size(), offset);
  }

 private:
  std::string text_;
  store& store_;
};

class mail : public account {
 public:
  explicit mail(store& s) : store_(s) {}

  bool may_go_on() override { return !store_.removed; }
  result<std::vector<folder_info>> folders() override {
    std::vector<folder_info> list;
    for (const auto& name : store_.folders) list.push_back({name, name == "inbox" ? name : ""});
    return list;
  }

  result<void> create_folder(std::string_view folder, std::string_view) override {
    if (std::ranges::find(store_.folders, folder) != store_.folders.end())
      return refusal(reason::folder_exists, "there is such a folder");
    store_.folders.emplace_back(folder);
    return {};
  }

  result<std::unique_ptr<message_sink>> append(const append_target& what,
                                               const header_block& header) override {
    if (what.folder != "inbox") return refusal(reason::no_folder, "no such folder");
    return std::unique_ptr<message_sink>(std::make_unique<sink>(store_, what, header));
  }

  result<std::unique_ptr<submission>> send(const send_options& options,
                                           const header_block& header) override {
    if (header.from().addr.text() != "bob@b.example") return refusal(reason::from, "not yours");
    return std::unique_ptr<submission>(std::make_unique<sending>(store_, !options.save.empty()));
  }

  result<search_page> search(std::string_view, std::string_view cursor, std::uint64_t page,
                             const search_query& query) override {
    search_page out;
    for (const auto& [id, m] : store_.inbox) {
      if (!cursor.empty() && id <= cursor) continue;
      if (m.header.find(query.text.at(0)) == std::string::npos) continue;
      if (out.ids.size() == page) {
        out.cursor = out.ids.back();
        break;
      }
      out.ids.push_back(id);
    }
    return out;
  }

  result<quota_status> quota() override {
    return quota_status{0, std::nullopt, store_.inbox.size(), 100};
  }

  result<void> change_password(octets old_password, octets new_password) override {
    if (old_password != store_.password) return refusal(reason::auth, "wrong password");
    store_.password = new_password;
    return {};
  }

  result<std::unique_ptr<subscription>> watch(std::span<const watched_folder>, tell_change tell,
                                              std::function<void()> over) override {
    const std::scoped_lock guard(store_.watch_mutex);
    store_.watcher = std::move(tell);
    store_.over = std::move(over);
    return std::unique_ptr<subscription>(std::make_unique<watching>(store_));
  }

  result<std::vector<queued_message>> queue() override {
    return std::vector<queued_message>{
        {"d7f3", address::parse("carol@c.example").value(), {}, std::nullopt, "busy"}};
  }

  result<folder_status> status(std::string_view folder) override {
    if (folder != "inbox") return refusal(reason::no_folder, "no such folder");
    return folder_status{store_.inbox.size(), 0, 0, std::to_string(store_.seq)};
  }

  result<change_page> changes(std::string_view, std::string_view token,
                              std::uint64_t page) override {
    const std::uint64_t after = std::stoull(std::string(token));
    std::vector<std::pair<std::uint64_t, std::string>> order;
    for (const auto& [id, m] : store_.inbox)
      if (m.seq > after) order.emplace_back(m.seq, id);
    std::ranges::sort(order);
    change_page out{{}, std::string(token), order.size() > page};
    order.resize(std::min<std::size_t>(order.size(), page));
    for (const auto& [seq, id] : order) {
      const message& m = store_.inbox.at(id);
      out.changes.push_back({id, entry{id, seq, m.header.size(), m.flags, {}}});
      out.token = std::to_string(seq);
    }
    return out;
  }

  result<std::optional<stored_header>> header(std::string_view, std::string_view id) override {
    const auto found = store_.inbox.find(std::string(id));
    if (found == store_.inbox.end()) return std::optional<stored_header>();
    return std::optional(stored_header{found->second.header, found->second.record});
  }

  result<std::unique_ptr<part_source>> open_part(std::string_view, std::string_view id,
                                                 std::uint64_t part) override {
    const auto found = store_.inbox.find(std::string(id));
    if (found == store_.inbox.end()) return refusal(reason::no_message, "no such message");
    if (part > found->second.parts.size()) return refusal(reason::no_part, "no such part");
    return std::unique_ptr<part_source>(
        std::make_unique<source>(found->second.parts[part - 1], store_));
  }

  result<std::vector<message_outcome>> flag(std::string_view, std::span<const std::string> ids,
                                            const flag_change& what) override {
    return each(ids, [&](message& m) {
      if (what.only_if_seq && m.seq > *what.only_if_seq) return message_outcome::changed;
      for (const auto& flag : what.add) m.flags.push_back(flag);
      for (const auto& flag : what.remove) std::erase(m.flags, flag);
      m.seq = ++store_.seq;
      return message_outcome::done;
    });
  }

  result<std::vector<message_outcome>> remove(std::string_view,
                                              std::span<const std::string> ids) override {
    auto outcomes = each(ids, [](message&) { return message_outcome::done; });
    for (const auto& id : ids) store_.inbox.erase(id);
    return outcomes;
  }

  result<std::vector<message_outcome>> move(std::string_view, std::string_view,
                                            std::span<const std::string>) override {
    return refusal(reason::unsupported, "one folder is all there is");
  }

  result<std::vector<std::string>> copy(std::string_view, std::string_view,
                                        std::span<const std::string> ids) override {
    std::vector<std::string> copies;
    for (const auto& id : ids) {
      const bool there = store_.inbox.contains(id);
      copies.push_back(there ? id + "-1" : std::string());
      if (there) store_.inbox[id + "-1"] = store_.inbox[id];
    }
    copies.resize(copies.size() + store_.too_many);
    return copies;
  }

 private:
  template <class Change>
  std::vector<message_outcome> each(std::span<const std::string> ids, Change change) {
    std::vector<message_outcome> outcomes;
    for (const auto& id : ids) {
      const auto found = store_.inbox.find(id);
      outcomes.push_back(found == store_.inbox.end() ? message_outcome::gone
                                                     : change(found->second));
    }
    outcomes.resize(outcomes.size() + store_.too_many, message_outcome::gone);
    return outcomes;
  }

  store& store_;
};

/// Knows bob, whose password is swordfish, and his certificate.
class users : public authenticator {
 public:
  explicit users(store& s) : store_(s) {}
  result<std::unique_ptr<account>> by_password(std::string_view user, octets password) override {
    return check(user == "bob" && password == store_.password);
  }
  std::vector<std::string_view> capabilities() const override {
    return {capability::append, capability::send, capability::watch};
  }
  result<std::unique_ptr<account>> by_certificate(std::string_view user,
                                                  const certificate_facts& facts) override {
    return check(user == "bob" && facts.operator_ca_names == std::vector<std::string>{"bob"});
  }

 private:
  result<std::unique_ptr<account>> check(bool proved) {
    if (!proved) return refusal(reason::auth, "wrong user name or proof");
    return std::unique_ptr<account>(std::make_unique<mail>(store_));
  }
  store& store_;
};

}  // namespace memory_mail
