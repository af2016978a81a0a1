#include "addresses.hpp"
#include "events.hpp"
#include "mailboxes.hpp"
#include "messages.hpp"
#include "times.hpp"

#include <ima/mailbox/delivery.hpp>
#include <ima/message.hpp>

#include <pybind11/stl.h>

#include <algorithm>
#include <vector>

namespace ima::python {
namespace {

using namespace py::literals;
using mailbox::target;

// How one target ended.
struct outcome {
  std::string id;
  bool already = false;
  std::optional<error> problem;
};

template <class Storing>
result<void> copy_body(const header_block& header, body_source& body, Storing& into) {
  body_reader reader(header);
  std::vector<char> buffer(
      static_cast<std::size_t>(std::min<std::uint64_t>(header.body_size(), 256 * 1024)));
  for (std::uint64_t at = 0; !reader.complete();) {
    const auto count =
        static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), header.body_size() - at));
    if (auto good = body.read_at(at, buffer.data(), count); !good) return good;
    at += count;
    octets piece(buffer.data(), count);
    for (;;) {
      auto slice = reader.next(piece);
      if (!slice) return std::move(slice).error();
      if (!*slice) break;
      if (auto good = into.write(**slice); !good) return good;
    }
  }
  return {};
}

result<std::vector<result<mailbox::delivered>>> store(message_in message,
                                                      std::vector<target> targets) {
  auto begun =
      mailbox::delivery::begin(mailbox::posix_file_system(), message.header, std::move(targets));
  if (!begun) return std::move(begun).error();
  if (auto good = copy_body(message.header, message.body, *begun); !good)
    return std::move(good).error();
  return begun->commit();
}

std::vector<outcome> deliver(const py::object& message, const std::vector<target>& targets) {
  const message_in from = message_from(message);
  std::vector<outcome> out;
  for (auto& one : take(without_gil([&] { return store(from, targets); }), true)) {
    if (one)
      out.push_back({one->id, one->already, {}});
    else
      out.push_back({"", false, one.error()});
  }
  return out;
}

// A message that its own user stores.
mailbox::entry append(shared_mailbox& box, const py::object& message, std::string folder,
                      std::vector<std::string> flags) {
  const message_in from = message_from(message);
  mailbox::record note;
  note.received = {mailbox::posix_file_system().now(), {}};
  note.folder = std::move(folder);
  note.flags = std::move(flags);
  return box.call([&](mailbox::mailbox& m) -> result<mailbox::entry> {
    auto begun = m.append(from.header, note);
    if (!begun) return std::move(begun).error();
    if (auto good = copy_body(from.header, from.body, *begun); !good) return good.error();
    return begun->commit();
  });
}

target make_target(path_in path, const std::optional<address_in>& recipient, std::string folder,
                   std::vector<std::string> flags, std::string verified_domain, std::string peer,
                   std::string tls, std::optional<timestamp> received, bool apart) {
  target t;
  t.path = std::move(path.held);
  if (recipient) t.recipient = **recipient;
  t.note = {std::move(verified_domain),
            std::move(peer),
            std::move(tls),
            std::string(),
            received.value_or(timestamp{mailbox::posix_file_system().now(), {}}),
            t.recipient ? std::string(t.recipient->text()) : std::string(),
            std::move(folder),
            std::move(flags),
            std::string()};
  t.apart = apart;
  return t;
}

}  // namespace

void add_mailbox_delivery(py::module_& m, shared_mailbox_class& c) {
  c.def("append", &append, "message"_a, "folder"_a = "inbox",
        "flags"_a = std::vector<std::string>{},
        "Stores a message as its own user does, as a copy named apart; returns its Entry.");
  py::class_<target>(m, "Target", "A mailbox that gets a message, and what the server knows of it.")
      .def(py::init(&make_target), "path"_a, py::kw_only(), "recipient"_a = std::nullopt,
           "folder"_a = "inbox", "flags"_a = std::vector<std::string>{}, "verified_domain"_a = "",
           "peer"_a = "", "tls"_a = "", "received"_a = std::nullopt, "apart"_a = false,
           "``recipient``'s private lines stay; without one, all do.")
      .def_property_readonly(
          "path", [](const target& t) { return path_out(t.path); }, "The mailbox's directory.")
      .def_readonly("recipient", &target::recipient, "An Address, or None.")
      .def_readonly("apart", &target::apart, "A copy with an id of its own.");
  record<outcome>(m, "Delivered", "How one target ended.")
      .field("id", &outcome::id, "The message's id in the mailbox.")
      .field("already", &outcome::already, "It was there, or had been of late.")
      .computed(
          "problem",
          [](const outcome& o) {
            return o.problem ? exception_for(*o.problem, true) : py::object(py::none());
          },
          "A MailboxError, or None.");
  m.def("deliver", &deliver, "message"_a, "targets"_a,
        "Stores a message in mailboxes, durably; one Delivered for each target, in order. Takes no "
        "lock.");
  m.def(
      "contains",
      [](const path_in& path, const digest& id) {
        return take(without_gil([&] {
                      return mailbox::contains(mailbox::posix_file_system(), path.held, id);
                    }),
                    true);
      },
      "path"_a, "digest"_a, "Whether the mailbox has, or had of late, the message.");
}

}  // namespace ima::python
