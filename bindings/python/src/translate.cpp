#include "mailboxes.hpp"
#include "messages.hpp"
#include "signals.hpp"

#include <ima/mailbox/file_system.hpp>
#include <ima/translate/mail_file.hpp>
#include <ima/translate/maildir_mirror.hpp>
#include <ima/translate/message_to_mime.hpp>
#include <ima/translate/mime_to_message.hpp>
#include <ima/translate/transfer.hpp>

#include <pybind11/stl.h>

#include <cstring>

namespace ima::python {
namespace {

using namespace py::literals;
using translate::remark;

// Mail in memory.
class memory_mail : public body_source {
 public:
  explicit memory_mail(octets view) : view_(view) {}
  result<void> read_at(std::uint64_t offset, char* buffer, std::size_t size) override {
    std::memcpy(buffer, view_.data() + offset, size);
    return {};
  }

 private:
  octets view_;
};

// Collects octets without the GIL.
translate::octet_writer into(std::string& out) {
  return [&out](octets piece) -> result<void> {
    out += piece;
    return {};
  };
}

// A Python function that takes what comes; what it raises is raised again by conclude().
class python_function {
 public:
  explicit python_function(const py::object& function) : function_(function) {}

  result<void> operator()(octets piece) {
    return give([&] { return to_bytes(piece); });
  }
  result<void> operator()(const translate::transferred& one) {
    return give([&] { return py::cast(one); });
  }
  void conclude(result<void> end) {
    if (thrown_) throw py::error_already_set(*thrown_);
    python::take(std::move(end));
  }

 private:
  template <class Make>
  result<void> give(const Make& make) {
    const with_gil gil;
    try {
      function_(make());
      return {};
    } catch (py::error_already_set& e) {
      thrown_.emplace(std::move(e));
      return error{fault::caller, "handler", "", "the function that takes what comes raised"};
    }
  }

  const py::object& function_;
  std::optional<py::error_already_set> thrown_;
};

struct translated {
  std::shared_ptr<memory_message> message;
  std::vector<remark> remarks;
};

translated from_mail(octets_in mail, const limits& bounds) {
  memory_mail source(mail.view());
  std::string body;
  std::optional<header_block> header;
  std::vector<remark> remarks;
  take(without_gil([&]() -> result<void> {
    auto made = translate::mime_to_message::translate(source, mail.view().size(), bounds);
    if (!made) return std::move(made).error();
    header = made->header();
    remarks.assign(made->remarks().begin(), made->remarks().end());
    return made->write_body(into(body));
  }));
  octets_in kept{to_bytes(body)};
  std::vector<octets> parts;
  for (const part_info& p : header->parts())
    parts.push_back(
        kept.view().substr(static_cast<std::size_t>(p.offset), static_cast<std::size_t>(p.size)));
  return {std::make_shared<memory_message>(*std::move(header), std::vector{std::move(kept)},
                                           std::move(parts)),
          std::move(remarks)};
}

std::vector<remark> file_to_message(const path_in& path, const py::object& out,
                                    const limits& bounds) {
  python_function writer(out);
  std::vector<remark> remarks;
  writer.conclude(without_gil([&]() -> result<void> {
    auto file = translate::mail_file::open(path.held, false, bounds);
    if (!file) return std::move(file).error();
    auto made = translate::mime_to_message::translate(*file, file->size(), bounds);
    if (!made) return std::move(made).error();
    remarks.assign(made->remarks().begin(), made->remarks().end());
    if (auto good = writer(made->header().text()); !good) return good;
    return made->write_body(std::ref(writer));
  }));
  return remarks;
}

std::vector<remark> to_mail(const py::object& message, const py::object& out,
                            const limits& bounds) {
  const message_in from = message_from(message);
  python_function writer(out);
  std::vector<remark> remarks;
  writer.conclude(without_gil([&]() -> result<void> {
    auto made = translate::message_to_mime::translate(from.header, from.body, bounds);
    if (!made) return std::move(made).error();
    remarks.assign(made->remarks().begin(), made->remarks().end());
    return made->write(std::ref(writer));
  }));
  return remarks;
}

translate::format format_from(std::string_view word) {
  const auto known = translate::format_of(word);
  if (!known) throw py::value_error("an unknown format: " + std::string(word));
  return *known;
}

// Ends the work where a signal's handler raises.
template <class Take>
translate::transfer_report reporting(const signals& interrupts, Take take_one) {
  return
      [asked = interrupts.question(), take_one](const translate::transferred& one) -> result<void> {
        if (auto taken = take_one(one); !taken || !asked()) return taken;
        return error{fault::caller, "interrupted", "", "a signal's handler raised"};
      };
}

std::vector<translate::transferred> transfer(path_in in, path_in out, std::string_view from,
                                             std::string_view to, const limits& bounds,
                                             path_in index, const py::object& report) {
  std::vector<translate::transferred> each;
  const signals interrupts;
  python_function reported(report);
  const bool collected = report.is_none();
  translate::transfer_options what;
  what.from = format_from(from);
  what.to = format_from(to);
  what.in = std::move(in.held);
  what.out = std::move(out.held);
  what.bounds = bounds;
  what.in_box.index = what.to == translate::format::mailbox ? ":memory:" : index.held;
  what.out_box.index = std::move(index.held);
  const auto take_one = [&](const translate::transferred& one) -> result<void> {
    if (!collected) return reported(one);
    each.push_back(one);
    return {};
  };
  auto done =
      without_gil([&] { return translate::transfer(what, reporting(interrupts, take_one)); });
  interrupts.rethrow();
  reported.conclude(std::move(done));
  return each;
}

translate::mirror_changes mirror(shared_mailbox& box, const path_in& directory,
                                 const limits& bounds) {
  const signals interrupts;
  std::optional<result<translate::mirror_changes>> done;
  box.call([&](mailbox::mailbox& inner) -> result<void> {
    done = translate::mirror_to_maildir(
        inner, mailbox::posix_file_system(), directory.held,
        reporting(interrupts, [](const auto&) -> result<void> { return {}; }), bounds);
    return {};
  });
  interrupts.rethrow();
  return take(std::move(*done), true);
}

void add_records(py::module_& m) {
  record<remark>(m, "Remark",
                 "What a translation said in another way; docs/translation.md has all.")
      .computed(
          "rule", [](const remark& r) { return std::string(r.rule); }, "The word.")
      .field("place", &remark::place, "What it is about: ``Subject``, ``part 2``.")
      .field("text", &remark::text, "For people; may quote the message.");
  record<translated>(m, "Translated", "A message made of mail.")
      .field("message", &translated::message, "The Message.")
      .field("remarks", &translated::remarks, "Remark objects.");
  using translate::transferred;
  record<transferred>(m, "Transferred", "What became of one message of a transfer().")
      .field("place", &transferred::place, "Where it came from, for people.")
      .field("remarks", &transferred::remarks, "Remark objects.")
      .field("already", &transferred::already, "It was there; nothing was written.")
      .computed(
          "problem",
          [](const transferred& t) -> py::object {
            if (!t.problem) return py::none();
            return exception_for(*t.problem);
          },
          "The Error for which it was left out, or None.")
      .field("left_out", &transferred::left_out,
             "It is no mail any more, as a remark says; nothing was written.");
  using translate::mirror_changes;
  record<mirror_changes>(m, "MirrorChanges", "What an update of a mirror did.")
      .field("written", &mirror_changes::written, "Messages that became files.")
      .field("removed", &mirror_changes::removed, "Files of messages that left.")
      .field("flags_out", &mirror_changes::flags_out, "Files that got flags.")
      .field("flags_in", &mirror_changes::flags_in, "Messages that got flags.")
      .field("left_out", &mirror_changes::left_out, "Messages that cannot be shown.");
}

}  // namespace

void add_translate(py::module_& m) {
  add_records(m);
  m.def(
      "from_mail", &from_mail, "mail"_a, "limits"_a = limits{},
      R"(Internet mail (RFC 5322, MIME) as a message, wholly in memory. Any octets are some message.

>>> made = from_mail(b"From: a@a.example\nSubject: =?utf-8?q?caf=C3=A9?=\n\nhello\n")
>>> made.message.header.subject, bytes(made.message.parts[0]), made.remarks
('café', b'hello\n', [])
)");
  m.def("file_to_message", &file_to_message, "path"_a, "into"_a, "limits"_a = limits{},
        R"(Streams a file of Internet mail, as a message, into a function; returns the Remarks.

>>> import io, tempfile
>>> mail = tempfile.NamedTemporaryFile(suffix=".eml")
>>> _ = mail.write(b"From: a@a.example\nSubject: Photos\n\nhello\n"); mail.flush()
>>> out = io.BytesIO()
>>> file_to_message(mail.name, out.write)
[]
>>> ima.Message.parse(out.getvalue()).header.subject
'Photos'
)");
  m.def("to_mail", &to_mail, "message"_a, "into"_a, "limits"_a = limits{},
        R"(Streams a message, as Internet mail, into a function; returns the Remarks.

>>> import io
>>> out = io.BytesIO()
>>> message = ima.Message.build([("from", "a@a.example")], [ima.Part(b"hello\n", "text/plain")])
>>> remarks = to_mail(message, out.write)
>>> b"From: a@a.example" in out.getvalue()
True
)");
  m.def("transfer", &transfer, "source"_a, "target"_a, "from_format"_a, "to_format"_a,
        py::kw_only(), "limits"_a = limits{}, "index"_a = ":memory:", "report"_a = py::none(),
        R"(Translates every message at a path to another path; returns a Transferred for each.

Formats: eml, mbox, maildir, ima, mailbox. Can be repeated. With ``report`` each goes to that function
as it comes, and the list is empty. ``index`` is the path of the index of the mailbox that is written,
or else read; by default there is one in memory for this once.

>>> import tempfile
>>> import ima.mailbox
>>> place = tempfile.mkdtemp()
>>> ima.mailbox.Mailbox.create(place)
>>> old = tempfile.NamedTemporaryFile(suffix=".mbox")
>>> _ = old.write(b"From x\nFrom: a@a.example\n\nhello\n"); old.flush()
>>> [one.already for one in transfer(old.name, place, "mbox", "mailbox")]
[False]
>>> transfer(old.name, place, "mbox", "mailbox", report=lambda one: print(one.already))
True
[]
)");
  m.def("mirror_to_maildir", &mirror, "mailbox"_a, "directory"_a, "limits"_a = limits{},
        R"(Makes a Maildir show what a Mailbox holds; flags go both ways. Can be repeated.

>>> import tempfile
>>> import ima.mailbox
>>> place = tempfile.mkdtemp()
>>> ima.mailbox.Mailbox.create(place)
>>> mirror_to_maildir(ima.mailbox.Mailbox.open(place), place + "/Maildir")
MirrorChanges(written=0, removed=0, flags_out=0, flags_in=0, left_out=0)
)");
}

}  // namespace ima::python
