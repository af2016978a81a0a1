#include "events.hpp"
#include "retrieval_arguments.hpp"
#include "times.hpp"
#include "words.hpp"

#include <ima/retrieval/client.hpp>

#include <span>
#include <variant>

namespace ima::python {
namespace {

using namespace py::literals;
namespace reply = retrieval::reply;

class session {
 public:
  session(std::string host, const limits& bounds) : inner({std::move(host), bounds}) {}

  void receive(octets_in more) { inner.receive(fed_.add(std::move(more))); }

  py::object next_event() {
    auto event = take(inner.next_event());
    if (const auto* p = std::get_if<reply::part_octets>(&event))
      return py::cast(octets_event{fed_.share(p->bytes)});
    if (const auto* h = std::get_if<reply::header>(&event))
      return py::cast(header_event{h->id, to_bytes(h->block), to_bytes(h->record)});
    if (std::holds_alternative<reply::need_input>(event)) {
      fed_.clear();
      return py::cast(need_input{});
    }
    return std::visit([](auto& e) { return py::cast(std::move(e)); }, event);
  }

  retrieval::client inner;

 private:
  fed_octets fed_;
};

void add_reading(py::class_<session>& c) {
  c.def(
       "authenticate",
       [](session& s, std::string_view user, const std::optional<octets_in>& password) {
         take(password ? s.inner.authenticate(user, password->view()) : s.inner.authenticate(user));
       },
       "user"_a, "password"_a = std::nullopt, "Without a password: by the client certificate.")
      .def(
          "folders", [](session& s) { take(s.inner.folders()); }, "Asks for all folders.")
      .def(
          "status", [](session& s, std::string_view folder) { take(s.inner.status(folder)); },
          "folder"_a, "Asks how much is in a folder.")
      .def(
          "changes",
          [](session& s, std::string_view folder, std::string_view token, std::uint64_t limit) {
            take(s.inner.changes(folder, token, limit));
          },
          "folder"_a, "token"_a = retrieval::first_token, "limit"_a = 500,
          "Asks what changed after ``token``.")
      .def(
          "headers",
          [](session& s, std::string_view folder, const ids& which) {
            take(s.inner.headers(folder, which));
          },
          "folder"_a, "ids"_a, "Asks for header blocks.")
      .def(
          "fetch",
          [](session& s, std::string_view folder, std::string_view id, std::uint64_t part,
             std::uint64_t offset, std::optional<std::uint64_t> length) {
            take(s.inner.fetch(folder, id, part, offset, length));
          },
          "folder"_a, "id"_a, "part"_a, "offset"_a = 0, "length"_a = std::nullopt,
          "Asks for a part, counted from 1, or a range of it.")
      .def(
          "search",
          [](session& s, std::string_view folder, const retrieval::search_query& query,
             std::string_view cursor,
             std::uint64_t limit) { take(s.inner.search(folder, cursor, limit, query)); },
          "folder"_a, "query"_a, "cursor"_a = "", "limit"_a = 500, "Asks for what meets a query.")
      .def(
          "quota", [](session& s) { take(s.inner.quota()); }, "Asks for the mailbox's quota.")
      .def(
          "queue", [](session& s) { take(s.inner.queue()); }, "Asks for the user's queued mail.")
      .def(
          "watch",
          [](session& s, const watched& folders) { take(s.inner.watch(watched_from(folders))); },
          "folders"_a, "Watches folders from the states of their tokens; none ends the watch.");
}

void add_changing(py::class_<session>& c) {
  c.def(
       "set_flags",
       [](session& s, std::string_view folder, const ids& which, ids add, ids remove,
          std::optional<std::uint64_t> only_if_seq) {
         take(s.inner.flag(folder, which, {std::move(add), std::move(remove), only_if_seq}));
       },
       "folder"_a, "ids"_a, py::kw_only(), "add"_a = ids{}, "remove"_a = ids{},
       "only_if_seq"_a = std::nullopt, "Changes flags.")
      .def(
          "remove",
          [](session& s, std::string_view folder, const ids& which) {
            take(s.inner.remove(folder, which));
          },
          "folder"_a, "ids"_a, "Deletes messages.")
      .def(
          "move",
          [](session& s, std::string_view folder, std::string_view target, const ids& which) {
            take(s.inner.move(folder, target, which));
          },
          "folder"_a, "target"_a, "ids"_a, "Moves messages.")
      .def(
          "copy",
          [](session& s, std::string_view folder, std::string_view target, const ids& which) {
            take(s.inner.copy(folder, target, which));
          },
          "folder"_a, "target"_a, "ids"_a, "Copies messages.")
      .def(
          "create_folder",
          [](session& s, std::string_view folder, std::string_view role) {
            take(s.inner.create_folder(folder, role));
          },
          "folder"_a, "role"_a = "", "Makes a folder.")
      .def(
          "rename_folder",
          [](session& s, std::string_view folder, std::string_view target) {
            take(s.inner.rename_folder(folder, target));
          },
          "folder"_a, "target"_a, "Renames a folder.")
      .def(
          "delete_folder",
          [](session& s, std::string_view folder) { take(s.inner.delete_folder(folder)); },
          "folder"_a, "Deletes an empty folder.")
      .def(
          "change_password",
          [](session& s, const octets_in& old_password, const octets_in& new_password) {
            take(s.inner.change_password(old_password.view(), new_password.view()));
          },
          "old_password"_a, "new_password"_a, "Changes the user's password.")
      .def(
          "done", [](session& s) { take(s.inner.done()); }, "No more requests.");
}

void add_uploads(py::class_<session>& c) {
  c.def(
       "append",
       [](session& s, std::string_view folder, const header_block& header, ids flags,
          std::optional<timestamp> arrived) {
         take(s.inner.append({std::string(folder), std::move(flags), arrived}, header));
       },
       "folder"_a, "header"_a, py::kw_only(), "flags"_a = ids{}, "arrived"_a = std::nullopt,
       "Offers a message for a folder. Its body follows by body(), at once or after AcceptedReply; "
       "or cancel().")
      .def(
          "send",
          [](session& s, const header_block& header, std::string save, const references& answered,
             const references& forwarded, const part_references& parts) {
            take(s.inner.send(send_options_from(std::move(save), answered, forwarded, parts),
                              header));
          },
          "header"_a, py::kw_only(), "save"_a = "", "answered"_a = references{},
          "forwarded"_a = references{}, "parts"_a = part_references{},
          "Offers a message to be sent. Its body, without ``parts``, follows as for append().")
      .def(
          "body", [](session& s, const octets_in& data) { take(s.inner.body(data.view())); },
          "data"_a, "The next octets of the body; an empty body is one empty piece.")
      .def(
          "cancel", [](session& s) { take(s.inner.cancel()); }, "Takes the offer back.")
      .def_property_readonly(
          "body_left", [](const session& s) { return s.inner.body_left(); },
          "Octets of the body that the post office waits for.");
}

}  // namespace

void add_retrieval(py::module_& m) {
  add_retrieval_records(m);
  add_retrieval_events(m);
  py::class_<session> c(m, "ClientSession", R"(The user's side of one IMRP connection.

Requests may be made at any time and many at once; each one's replies end with a RequestDone, in
order. No socket, clock or file. One thread at a time.

>>> session = ima.retrieval.ClientSession("b.example")
>>> session.folders()
>>> session.take_output()
b'FOLDERS\n'
>>> session.receive(b"IMRP 1 b.example\nFOLDER inbox inbox\nOK\n")
>>> session.next_event()
Greeting(capabilities=[])
>>> session.next_event()
FolderReply(info=FolderInfo(name='inbox', role='inbox'))
>>> session.next_event().failed is None
True
)");
  c.def(py::init<std::string, const limits&>(), "host"_a, "limits"_a = limits{},
        "The greeting must name ``host``.")
      .def("receive", &session::receive, "data"_a, "Gives octets that came.")
      .def(
          "receive_eof", [](session& s) { s.inner.receive_eof(); }, "The server sends no more.")
      .def("next_event", &session::next_event,
           "The next event; call until NeedInput. Raises RemoteProtocolError, UnknownOutcome.")
      .def(
          "take_output", [](session& s) { return take_output(s.inner); },
          "Octets to send, which are then gone.")
      .def_property_readonly(
          "outstanding", [](const session& s) { return s.inner.outstanding(); },
          "Requests made and not yet answered.")
      .def_property_readonly(
          "timeout", [](const session& s) { return s.inner.timeout(); },
          "How long to wait for the next octets; None while none is awaited.");
  add_reading(c);
  add_changing(c);
  add_uploads(c);
}

}  // namespace ima::python
