#include "mailboxes.hpp"
#include "times.hpp"

#include <ima/mailbox/watch.hpp>

#include <pybind11/stl.h>

#include <mutex>

namespace ima::python {
namespace {

using namespace py::literals;
using mailbox::search_field;
using words = std::vector<std::string>;
using moment = std::optional<std::chrono::sys_seconds>;

void add_text(mailbox::query& query, const std::string& text, search_field field, bool absent) {
  if (!text.empty()) query.texts.push_back({text, field, absent});
}

mailbox::search_page search(shared_mailbox& box, const std::string& text, std::string_view folder,
                            const std::string& sender, const std::string& recipient,
                            const std::string& subject, const std::string& attachment,
                            const std::string& body, const std::string& without, words flags,
                            words without_flags, moment arrived_since, moment arrived_before,
                            moment sent_since, moment sent_before,
                            std::optional<std::uint64_t> larger,
                            std::optional<std::uint64_t> smaller, std::string_view after,
                            std::size_t limit) {
  mailbox::query query;
  add_text(query, text, search_field::any, false);
  add_text(query, sender, search_field::sender, false);
  add_text(query, recipient, search_field::recipient, false);
  add_text(query, subject, search_field::subject, false);
  add_text(query, attachment, search_field::attachment, false);
  add_text(query, body, search_field::body, false);
  add_text(query, without, search_field::any, true);
  query.flags = std::move(flags);
  query.without_flags = std::move(without_flags);
  query.arrived_since = arrived_since;
  query.arrived_before = arrived_before;
  query.sent_since = sent_since;
  query.sent_before = sent_before;
  query.larger = larger;
  query.smaller = smaller;
  return box.call([&](auto& m) { return m.search(folder, query, after, limit); });
}

// Two Python threads may ask the same watch.
struct shared_watch {
  explicit shared_watch(path_in path) : inner(mailbox::posix_file_system(), std::move(path.held)) {}
  bool changed() {
    return take(without_gil([&] {
                  const std::lock_guard lock(mutex);
                  return inner.changed();
                }),
                true);
  }
  mailbox::watch inner;
  std::mutex mutex;
};

void add_records(py::module_& m) {
  using mailbox::quota_status;
  record<mailbox::search_hit>(m, "SearchHit", "A message that was found.")
      .field("folder", &mailbox::search_hit::folder, "Where it is.")
      .field("entry", &mailbox::search_hit::message, "The Entry.");
  record<mailbox::search_page>(m, "SearchPage", "What was found, newest first, up to a limit.")
      .field("hits", &mailbox::search_page::hits, "SearchHit objects.")
      .field("next", &mailbox::search_page::next, "Where the next page begins; empty: none does.");
  record<quota_status>(m, "QuotaStatus", "The limits of a mailbox, and what it holds.")
      .field("octets", &quota_status::octets, "What the folders hold.")
      .field("messages", &quota_status::messages, "The same in messages.")
      .computed(
          "max_octets", [](const quota_status& q) { return q.limits.octets; }, "0 is no limit.")
      .computed(
          "max_messages", [](const quota_status& q) { return q.limits.messages; },
          "0 is no limit.");
  py::class_<shared_watch>(m, "Watch",
                           R"(Tells cheaply that something may have changed in a mailbox.

Holds nothing open; ask it as often as every half second, and do what is to be done when it says
True, as it does the first time.

>>> import tempfile
>>> from ima.mailbox import Mailbox, Watch
>>> place = tempfile.mkdtemp()
>>> Mailbox.create(place)
>>> Watch(place).changed()
True
)")
      .def(py::init<path_in>(), "path"_a, "Watches the mailbox at this path.")
      .def("changed", &shared_watch::changed,
           "Whether the mailbox may not be as it was at the call before.");
}

}  // namespace

void add_mailbox_search(py::module_& m, shared_mailbox_class& c) {
  add_records(m);
  c.def("search", &search, "text"_a = "", "folder"_a = "", py::kw_only(), "sender"_a = "",
        "recipient"_a = "", "subject"_a = "", "attachment"_a = "", "body"_a = "", "without"_a = "",
        "flags"_a = words{}, "without_flags"_a = words{}, "arrived_since"_a = std::nullopt,
        "arrived_before"_a = std::nullopt, "sent_since"_a = std::nullopt,
        "sent_before"_a = std::nullopt, "larger"_a = std::nullopt, "smaller"_a = std::nullopt,
        "after"_a = "", "limit"_a = 100,
        "Messages for which every condition holds, newest first; without a folder, from all. Words "
        "stand next to each other in this order; those of ``without`` must not be there.")
      .def(
          "find_digest",
          [](shared_mailbox& b, std::string_view folder, const digest& message) {
            return b.call([&](auto& box) { return box.find(folder, message); });
          },
          "folder"_a, "digest"_a, "The newest message in the folder with this digest, or None.")
      .def(
          "quota", [](shared_mailbox& b) { return b.call([](auto& box) { return box.quota(); }); },
          "The limits, and what the folders hold now.")
      .def(
          "set_quota",
          [](shared_mailbox& b, std::uint64_t octets, std::uint64_t messages) {
            b.call([&](auto& box) { return box.set_quota({octets, messages}); });
          },
          py::kw_only(), "octets"_a = 0, "messages"_a = 0, "0 is no limit.")
      .def(
          "sync_state",
          [](shared_mailbox& b, std::string_view name) {
            return to_bytes(b.call([&](auto& box) { return box.sync_state(name); }));
          },
          "name"_a, "A small durable note; empty where there is none.")
      .def(
          "set_sync_state",
          [](shared_mailbox& b, std::string_view name, const octets_in& value) {
            b.call([&](auto& box) { return box.set_sync_state(name, value.view()); });
          },
          "name"_a, "value"_a, "Keeps a small note, durably.");
}

}  // namespace ima::python
