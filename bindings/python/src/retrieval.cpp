#include "binding.hpp"
#include "events.hpp"
#include "times.hpp"
#include "words.hpp"

#include <ima/retrieval/client.hpp>

#include <pybind11/stl.h>

#include <span>
#include <variant>

namespace ima::python {
namespace {

using namespace py::literals;
namespace reply = retrieval::reply;
using ids = std::vector<std::string>;

struct octets_event {
  py::object data;
};

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

void add_records(py::module_& m) {
  using namespace retrieval;
  record<folder_info>(m, "FolderInfo", "A folder, as a list shows it.")
      .field("name", &folder_info::name, "Hierarchical with ``/``.")
      .field("role", &folder_info::role, "inbox, sent, drafts, archive, junk, trash, or empty.");
  record<folder_status>(m, "FolderStatus", "How much is in a folder.")
      .field("messages", &folder_status::messages, "How many.")
      .field("unseen", &folder_status::unseen, "How many without the flag seen.")
      .field("size", &folder_status::size, "Octets of all messages.")
      .field("token", &folder_status::token, "The state now.");
  record<entry>(m, "Entry", "A message that came or changed.")
      .field("id", &entry::id, "Stable, and the same wherever the message is.")
      .field("seq", &entry::seq, "Grows with every change in the mailbox.")
      .field("size", &entry::size, "Octets: header block and parts.")
      .field("flags", &entry::flags, "Words, each once.")
      .field("arrived", &entry::arrived, "When the server took it.");
  record<change>(m, "Change", "One change of a folder.")
      .field("id", &change::id, "The message's id.")
      .field("present", &change::present, "Its Entry; None where it left the folder.");
  record<change_page> page(m, "ChangePage", "What changed, up to a limit.");
  page.made(py::init([](std::vector<change> changes, std::string token, bool more) {
              return change_page{std::move(changes), std::move(token), more};
            }),
            "changes"_a, "token"_a, "more"_a);
  page.field("changes", &change_page::changes, "In order.")
      .field("token", &change_page::token, "The state after this page.")
      .field("more", &change_page::more, "Another page can be had at once.");
}

void add_events(py::module_& m) {
  record<reply::greeting>(m, "Greeting", "The greeting came and names the expected host.")
      .field("capabilities", &reply::greeting::capabilities, "Other words of the greeting.");
  record<reply::folder>(m, "FolderReply", "A line of the list of folders.")
      .field("info", &reply::folder::info, "The FolderInfo.");
  record<reply::changed_entry>(m, "ChangeReply", "A line of the list of changes.")
      .field("change", &reply::changed_entry::what, "The Change.");
  record<header_event>(m, "HeaderReply", "A message's header block, as the server sent it.")
      .field("id", &header_event::id, "The message's id.")
      .field("block", &header_event::block, "What the sender wrote; not parsed yet.")
      .field("record", &header_event::record, "What the server proved.");
  record<reply::gone>(m, "GoneReply", "A message is not in the folder.")
      .field("id", &reply::gone::id, "The message's id.");
  record<reply::changed>(m, "ChangedReply", "FLAG left a message alone, as it had changed.")
      .field("id", &reply::changed::id, "The message's id.");
  record<reply::copied>(m, "CopiedReply", "A message was copied.")
      .field("id", &reply::copied::id, "The message's id.")
      .field("new_id", &reply::copied::new_id, "The copy's id.");
  record<reply::part_begin>(m, "PartReply", "A part's octets begin.")
      .field("id", &reply::part_begin::id, "The message's id.")
      .field("part", &reply::part_begin::part, "From 1.")
      .field("offset", &reply::part_begin::offset, "Of the first octet.")
      .field("length", &reply::part_begin::length, "How many octets come.");
  record<octets_event>(m, "OctetsReply", "Octets of the part.")
      .field("data", &octets_event::data, "A memoryview of what was received.");
  record<reply::done>(m, "RequestDone", "A request is over.")
      .computed(
          "failed",
          [](const reply::done& d) -> py::object {
            if (!d.failed) return py::none();
            return exception_for({d.failed->temporary ? fault::temporary : fault::refused,
                                  to_string(d.failed->why), "", d.failed->text});
          },
          "An Error where it was not done, or None.")
      .field("status", &reply::done::status, "After status(): a FolderStatus.")
      .field("token", &reply::done::token, "After changes(): the state.")
      .field("more", &reply::done::more, "After changes(): another page can be had.");
  record<reply::closed>(m, "SessionClosed", "The connection is over; nothing was waiting.");
}

void add_requests(py::class_<session>& c) {
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
          "done", [](session& s) { take(s.inner.done()); }, "No more requests.");
}

}  // namespace

void add_retrieval(py::module_& m) {
  add_records(m);
  add_events(m);
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
  add_requests(c);
}

}  // namespace ima::python
