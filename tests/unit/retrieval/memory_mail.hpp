#pragma once

#include <ima/retrieval/backend.hpp>

#include <algorithm>
#include <map>
#include <memory>
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
};

struct store {
  std::map<std::string, message> inbox;
  std::uint64_t seq = 0;
  std::uint64_t fail_reading_at = UINT64_MAX;  // a disk that breaks at this offset
};

class source : public part_source {
 public:
  source(std::string text, std::uint64_t broken_at)
      : text_(std::move(text)), broken_at_(broken_at) {}
  std::uint64_t size() const noexcept override { return text_.size(); }
  result<std::size_t> read_at(std::uint64_t offset, std::span<char> into) override {
    if (offset + into.size() > broken_at_)
      return error{fault::temporary, "file-read", "/secret/path", "input/output error"};
    return text_.copy(into.data(), into.size(), offset);
  }

 private:
  std::string text_;
  std::uint64_t broken_at_;
};

class mail : public account {
 public:
  explicit mail(store& s) : store_(s) {}

  result<std::vector<folder_info>> folders() override {
    return std::vector<folder_info>{{"inbox", "inbox"}};
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
    return std::optional(
        stored_header{found->second.header, "ima-record: 1\ndomain: a.example\n\n"});
  }

  result<std::unique_ptr<part_source>> open_part(std::string_view, std::string_view id,
                                                 std::uint64_t part) override {
    const auto found = store_.inbox.find(std::string(id));
    if (found == store_.inbox.end()) return refusal(reason::no_message, "no such message");
    if (part > found->second.parts.size()) return refusal(reason::no_part, "no such part");
    return std::unique_ptr<part_source>(
        std::make_unique<source>(found->second.parts[part - 1], store_.fail_reading_at));
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
    return outcomes;
  }

  store& store_;
};

/// Knows bob, whose password is swordfish, and his certificate.
class users : public authenticator {
 public:
  explicit users(store& s) : store_(s) {}
  result<std::unique_ptr<account>> by_password(std::string_view user, octets password) override {
    return check(user == "bob" && password == "swordfish");
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
