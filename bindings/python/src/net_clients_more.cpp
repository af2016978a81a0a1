#include "messages.hpp"
#include "retrieval_arguments.hpp"
#include "shared_client.hpp"
#include "submitted.hpp"
#include "times.hpp"
#include "words.hpp"

#include <ima/retrieval/client.hpp>

// What a post office can do beyond reading and flags (docs/retrieval.md sections 5.10 to 5.17).

namespace ima::python {
namespace {

using namespace py::literals;
namespace reply = retrieval::reply;

// Collects what is told while a message is sent, and passes it on. What the function raised is kept
// and raised again when the message has been sent.
class teller {
 public:
  explicit teller(const py::object& told) : told_(told) {}

  net::retrieval_client::sending hooks() {
    return {[this](const retrieval::recipient_outcome& o) {
              outcomes.push_back(o);
              pass_on(reply::outcome{o});
            },
            [this](std::string_view host, std::string_view text) {
              notes.push_back({std::string(host), std::string(text)});
              pass_on(reply::note{std::string(host), std::string(text)});
            }};
  }
  void rethrow() const {
    if (thrown_) throw py::error_already_set(*thrown_);
  }

  std::vector<retrieval::recipient_outcome> outcomes;
  std::vector<reply::note> notes;

 private:
  template <class Event>
  void pass_on(Event event) {
    if (told_.is_none() || thrown_) return;
    const with_gil gil;
    try {
      told_(std::move(event));
    } catch (py::error_already_set& e) {
      thrown_.emplace(std::move(e));
    }
  }

  const py::object& told_;
  std::optional<py::error_already_set> thrown_;
};

submitted send(shared_client& client, const py::object& message, std::string save,
               const references& answered, const references& forwarded,
               const part_references& parts, const py::object& told, patience timeout) {
  const message_in from = message_from(message);
  const auto options = send_options_from(std::move(save), answered, forwarded, parts);
  teller listener(told);
  auto end = client.call(
      timeout, [&](auto& c) { return c.send(options, from.header, from.body, listener.hooks()); });
  listener.rethrow();
  return {end.what, std::move(end.saved), std::move(listener.outcomes), std::move(listener.notes)};
}

std::string append(shared_client& client, std::string_view folder, const py::object& message,
                   ids flags, std::optional<timestamp> arrived, patience timeout) {
  const message_in from = message_from(message);
  const retrieval::append_target target{std::string(folder), std::move(flags), arrived};
  return client.call(timeout, [&](auto& c) { return c.append(target, from.header, from.body); });
}

}  // namespace

void add_client_records(py::module_& m) {
  record<submitted> c(m, "Submitted", "What became of a message that a post office sent.");
  c.made(py::init([](retrieval::send_verdict verdict, std::string saved,
                     std::vector<retrieval::recipient_outcome> outcomes,
                     std::vector<reply::note> notes) {
           return submitted{verdict, std::move(saved), std::move(outcomes), std::move(notes)};
         }),
         "verdict"_a, "saved"_a, "outcomes"_a, "notes"_a);
  c.field("verdict", &submitted::verdict, "delivered, queued, mixed, refused or deferred.")
      .field("saved", &submitted::saved, "The id of the copy that was kept; may be empty.")
      .field("outcomes", &submitted::outcomes, "A RecipientOutcome for each recipient heard of.")
      .field("notes", &submitted::notes, "A NoteReply for each remark.");
}

void add_client_folders(client_class& c) {
  c.def(
       "create_folder",
       [](shared_client& s, std::string_view folder, std::string_view role, patience timeout) {
         s.call(timeout, [&](auto& inner) { return inner.create_folder(folder, role); });
       },
       "folder"_a, "role"_a = "", py::kw_only(), "timeout"_a = std::nullopt,
       "Makes a folder, with a role or none.")
      .def(
          "rename_folder",
          [](shared_client& s, std::string_view folder, std::string_view target, patience timeout) {
            s.call(timeout, [&](auto& inner) { return inner.rename_folder(folder, target); });
          },
          "folder"_a, "target"_a, py::kw_only(), "timeout"_a = std::nullopt,
          "Renames this folder alone; messages and tokens stay.")
      .def(
          "delete_folder",
          [](shared_client& s, std::string_view folder, patience timeout) {
            s.call(timeout, [&](auto& inner) { return inner.delete_folder(folder); });
          },
          "folder"_a, py::kw_only(), "timeout"_a = std::nullopt, "Deletes an empty folder.")
      .def(
          "quota",
          [](shared_client& s, patience timeout) {
            return s.call(timeout, [](auto& inner) { return inner.quota(); });
          },
          py::kw_only(), "timeout"_a = std::nullopt, "What the mailbox holds, and may hold.")
      .def(
          "change_password",
          [](shared_client& s, const octets_in& old_password, const octets_in& new_password,
             patience timeout) {
            s.call(timeout, [&](auto& inner) {
              return inner.change_password(old_password.view(), new_password.view());
            });
          },
          "old_password"_a, "new_password"_a, py::kw_only(), "timeout"_a = std::nullopt,
          "Refused with the rule auth: the old one is wrong; limit: the new one is too short.");
}

void add_client_uploads(client_class& c) {
  c.def(
       "append", &append, "folder"_a, "message"_a, py::kw_only(), "flags"_a = ids{},
       "arrived"_a = std::nullopt, "timeout"_a = std::nullopt,
       "Puts a message into a folder and returns its id. Not idempotent: after ConnectionLost look "
       "for it before repeating.")
      .def("send", &send, "message"_a, py::kw_only(), "save"_a = "", "answered"_a = references{},
           "forwarded"_a = references{}, "parts"_a = part_references{}, "told"_a = py::none(),
           "timeout"_a = std::nullopt,
           R"(Has the post office send a message; safe to repeat.

``save`` is the folder that gets a copy. ``answered`` and ``forwarded`` are (folder, id) of messages
that get the flag. ``parts`` says which parts, counted from 1, the post office has already: {2:
(folder, id, 3)}; they are not uploaded. ``told`` is called with an OutcomeReply or a NoteReply as
they come; what it raises is raised when the message has been sent.
)")
      .def(
          "queue",
          [](shared_client& s, patience timeout) {
            return s.call(timeout, [](auto& inner) { return inner.queue(); });
          },
          py::kw_only(), "timeout"_a = std::nullopt,
          "What the user sent and waits, as QueuedMessage.");
}

void add_client_watching(client_class& c) {
  c.def(
       "search",
       [](shared_client& s, std::string_view folder, const retrieval::search_query& query,
          std::string_view cursor, std::uint64_t limit, patience timeout) {
         return s.call(timeout,
                       [&](auto& inner) { return inner.search(folder, cursor, limit, query); });
       },
       "folder"_a, "query"_a, "cursor"_a = "", "limit"_a = 500, py::kw_only(),
       "timeout"_a = std::nullopt,
       "Messages that meet a SearchQuery, newest first; a page may be short and have a next one.")
      .def(
          "watch",
          [](shared_client& s, const watched& folders, patience timeout) {
            const auto which = watched_from(folders);
            s.call(timeout, [&](auto& inner) { return inner.watch(which); });
          },
          "folders"_a, py::kw_only(), "timeout"_a = std::nullopt,
          "Watches folders, each from the state of its token; an empty dict ends the watch.")
      .def("wait_for_change", &shared_client::wait_for_change, "patience"_a = std::nullopt,
           "Waits so many seconds, or for as long as it takes, for a watched folder to change: its "
           "WatchedFolder, or None.");
}

}  // namespace ima::python
