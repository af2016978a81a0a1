#include "addresses.hpp"
#include "binding.hpp"
#include "mailboxes.hpp"
#include "messages.hpp"
#include "times.hpp"

#include <ima/mailbox/mailbox.hpp>

#include <pybind11/stl.h>

#include <mutex>

namespace pybind11::detail {

template <>
struct type_caster<ima::mailbox::outcome> {
  PYBIND11_TYPE_CASTER(ima::mailbox::outcome, const_name("str"));

  bool load(handle, bool) { return false; }
  static handle cast(ima::mailbox::outcome what, return_value_policy, handle) {
    static constexpr const char* words[] = {"done", "gone", "changed"};
    return str(words[static_cast<std::size_t>(what)]).release();
  }
};

}  // namespace pybind11::detail

namespace ima::python {
namespace {

using namespace py::literals;
using ids = std::vector<std::string>;

// The entries of a folder, page by page, so that memory does not know the size of the folder.
// Threads may share it: each entry is given once.
class entry_iterator {
 public:
  entry_iterator(std::shared_ptr<shared_mailbox> box, std::string folder)
      : box_(std::move(box)), folder_(std::move(folder)) {}

  mailbox::entry next() {
    // Who holds the mutex may be waiting for the GIL.
    const auto alone = without_gil([&] { return std::unique_lock(mutex_); });
    while (at_ == page_.entries.size()) {
      if (!page_.more) throw py::stop_iteration();
      page_ = box_->call([&](auto& m) { return m.changes(folder_, page_.token, 500); });
      at_ = 0;
    }
    return std::move(page_.entries[at_++]);
  }

 private:
  std::shared_ptr<shared_mailbox> box_;
  std::string folder_;
  std::mutex mutex_;  // guards what follows
  mailbox::change_page page_{{}, "0", true};
  std::size_t at_ = 0;
};

void add_records(py::module_& m) {
  using namespace mailbox;
  record<folder>(m, "Folder", "A box in a mailbox.")
      .field("name", &folder::name, "Hierarchical with ``/``.")
      .field("role", &folder::role, "inbox, sent, drafts, archive, junk, trash, or empty.")
      .field("messages", &folder::messages, "How many.")
      .field("unseen", &folder::unseen, "How many without the flag seen.")
      .field("size", &folder::size, "Octets of all messages.");
  record<folder_status>(m, "FolderStatus", "How much is in a folder.")
      .field("messages", &folder_status::messages, "How many.")
      .field("unseen", &folder_status::unseen, "How many without the flag seen.")
      .field("size", &folder_status::size, "Octets of all messages.")
      .field("token", &folder_status::token, "The state now.");
  record<entry>(m, "Entry", "A message in a folder.")
      .field("id", &entry::id, "Stable, and the same wherever the message is.")
      .field("seq", &entry::seq, "Grows with every change in the mailbox.")
      .field("size", &entry::size, "Octets: header block and parts.")
      .field("flags", &entry::flags, "Words, each once.")
      .field("arrived", &entry::arrived, "When it was taken in.")
      .field("gone", &entry::gone, "It left the folder; only id and seq are set.");
  record<change_page>(m, "ChangePage", "What changed, up to a limit.")
      .field("entries", &change_page::entries, "In the order of the changes.")
      .field("token", &change_page::token, "The state after this page.")
      .field("more", &change_page::more, "Another page can be had at once.");
  record<stored_header>(m, "StoredHeader", "A header block and the server's own record.")
      .field("header", &stored_header::header, "What the sender wrote: a HeaderBlock.")
      .computed(
          "record", [](const stored_header& h) { return to_bytes(h.record); },
          "What the server proved, as its octets.");
  record<report>(m, "Report", "What recover() put right, or check() found.")
      .field("torn", &report::torn, "Octets of a torn journal tail.")
      .field("unfinished", &report::unfinished, "Leftovers of deliveries.")
      .field("strays", &report::strays, "Message files that the journal does not name.")
      .field("tombstones", &report::tombstones, "Tombstones older than 15 days.")
      .field("missing", &report::missing, "Ids that the journal names and no file holds.")
      .field("unreadable", &report::unreadable, "Ids that cannot be taken in.")
      .field("odd", &report::odd, "Names that are no message's.")
      .field("absent", &report::absent, "Directories that are not there.");
  py::class_<entry_iterator>(m, "EntryIterator", "Gives the entries of a folder, one by one.")
      .def("__iter__", [](py::object self) { return self; })
      .def("__next__", &entry_iterator::next);
}

py::object open_part(const std::shared_ptr<shared_mailbox>& box, std::string_view folder,
                     std::string_view id, std::uint64_t part) {
  std::shared_ptr<mailbox::part_source> source =
      box->call([&](auto& m) { return m.open_part(folder, id, part); });
  const std::uint64_t size = source->size();
  return part_file(py::cpp_function([source](std::uint64_t offset, const py::buffer& into) {
                     const writable_buffer buffer(into);
                     return take(without_gil([&] {
                                   return source->read_at(offset, {buffer.data(), buffer.size()});
                                 }),
                                 true);
                   }),
                   size);
}

void add_folders(shared_mailbox_class& c) {
  c.def(
       "take_in", [](shared_mailbox& b) { return b.call([](auto& m) { return m.take_in(); }); },
       "Takes in what was delivered; returns how many messages came.")
      .def(
          "folders", [](shared_mailbox& b) { return b.call([](auto& m) { return m.folders(); }); },
          "All folders.")
      .def(
          "create_folder",
          [](shared_mailbox& b, std::string_view name, std::string_view role) {
            b.call([&](auto& m) { return m.create_folder(name, role); });
          },
          "name"_a, "role"_a = "", "Makes a folder.")
      .def(
          "rename_folder",
          [](shared_mailbox& b, std::string_view name, std::string_view to) {
            b.call([&](auto& m) { return m.rename_folder(name, to); });
          },
          "name"_a, "to"_a, "Gives a folder another name.")
      .def(
          "set_folder_role",
          [](shared_mailbox& b, std::string_view name, std::string_view role) {
            b.call([&](auto& m) { return m.set_folder_role(name, role); });
          },
          "name"_a, "role"_a, "Gives a folder this role, or none where it is empty.")
      .def(
          "delete_folder",
          [](shared_mailbox& b, std::string_view name) {
            b.call([&](auto& m) { return m.delete_folder(name); });
          },
          "name"_a, "Deletes an empty folder.")
      .def(
          "status",
          [](shared_mailbox& b, std::string_view folder) {
            return b.call([&](auto& m) { return m.status(folder); });
          },
          "folder"_a, "How much is in a folder.");
}

void add_reading(shared_mailbox_class& c) {
  c.def(
       "changes",
       [](shared_mailbox& b, std::string_view folder, std::string_view token, std::size_t limit) {
         return b.call([&](auto& m) { return m.changes(folder, token, limit); });
       },
       "folder"_a, "token"_a = "0", "limit"_a = 500,
       "What changed after ``token``; ``0`` lists the whole folder.")
      .def(
          "entries",
          [](std::shared_ptr<shared_mailbox> b, std::string folder) {
            return std::make_unique<entry_iterator>(std::move(b), std::move(folder));
          },
          "folder"_a = "inbox", "Iterates over a folder in constant memory.")
      .def(
          "find",
          [](shared_mailbox& b, std::string_view folder, std::string_view id) {
            return b.call([&](auto& m) { return m.find(folder, id); });
          },
          "folder"_a, "id"_a, "The Entry of a message, or None.")
      .def(
          "header",
          [](shared_mailbox& b, std::string_view folder, std::string_view id) {
            return b.call([&](auto& m) { return m.header(folder, id); });
          },
          "folder"_a, "id"_a, "The StoredHeader of a message, or None.")
      .def("open_part", &open_part, "folder"_a, "id"_a, "part"_a,
           "A binary file over one part; parts are counted from 1.");
}

void add_changing(shared_mailbox_class& c) {
  c.def(
       "set_flags",
       [](shared_mailbox& b, std::string_view folder, const ids& which,
          std::vector<std::string> add, std::vector<std::string> remove,
          std::optional<std::uint64_t> only_if_seq) {
         const mailbox::flag_change what{std::move(add), std::move(remove), only_if_seq};
         return b.call([&](auto& m) { return m.set_flags(folder, which, what); });
       },
       "folder"_a, "ids"_a, py::kw_only(), "add"_a = ids{}, "remove"_a = ids{},
       "only_if_seq"_a = std::nullopt, "One outcome for each id: done, gone or changed.")
      .def(
          "move",
          [](shared_mailbox& b, std::string_view folder, std::string_view target,
             const ids& which) {
            return b.call([&](auto& m) { return m.move(folder, target, which); });
          },
          "folder"_a, "target"_a, "ids"_a, "One outcome for each id.")
      .def(
          "remove",
          [](shared_mailbox& b, std::string_view folder, const ids& which) {
            return b.call([&](auto& m) { return m.remove(folder, which); });
          },
          "folder"_a, "ids"_a, "Deletes messages; one outcome for each id.")
      .def(
          "copy",
          [](shared_mailbox& b, std::string_view folder, std::string_view target,
             const ids& which) {
            return b.call([&](auto& m) { return m.copy(folder, target, which); });
          },
          "folder"_a, "target"_a, "ids"_a, "The copies' ids; empty where a message is not there.")
      .def(
          "recover", [](shared_mailbox& b) { return b.call([](auto& m) { return m.recover(); }); },
          "Puts right what crashes left behind.")
      .def(
          "check", [](shared_mailbox& b) { return b.call([](auto& m) { return m.check(); }); },
          "The same without changing anything.");
}

}  // namespace

void add_mailbox(py::module_& m) {
  add_records(m);
  shared_mailbox_class c(m, "Mailbox", R"(A mailbox as a post office or a reader sees it.

Safe to use from many threads; any number of objects, processes and hosts may have the same mailbox
open. A process that was forked opens its own. What changes something is durable when it returns.

>>> import tempfile
>>> from ima.mailbox import Mailbox, Target, deliver
>>> place = tempfile.mkdtemp()
>>> Mailbox.create(place)
>>> message = Message.build([("from", "a@a.example")], [Part(b"hello\n", "text/plain")])
>>> deliver(message, [Target(place)])[0].already
False
>>> box = Mailbox.open(place)
>>> box.take_in()
1
>>> [entry] = box.entries("inbox")
>>> with box.open_part("inbox", entry.id, 1) as part:
...     part.read()
b'hello\n'
>>> box.set_flags("inbox", [entry.id], add=["seen"])
['done']
)");
  c.def_static(
       "create",
       [](const path_in& path) {
         take(without_gil([&] {
                return mailbox::mailbox::create(mailbox::posix_file_system(), path.held);
              }),
              true);
       },
       "path"_a, "Makes an empty mailbox with the folder inbox.")
      .def_static(
          "open",
          [](const path_in& path, path_in index) {
            return std::make_shared<shared_mailbox>(take(without_gil([&] {
                                                           return mailbox::mailbox::open(
                                                               mailbox::posix_file_system(),
                                                               path.held, {std::move(index.held)});
                                                         }),
                                                         true));
          },
          "path"_a, "index"_a = "", "``index`` is the path of the index, on a local disk.");
  add_folders(c);
  add_reading(c);
  add_changing(c);
  add_mailbox_search(m, c);
  add_mailbox_delivery(m, c);
}

}  // namespace ima::python
