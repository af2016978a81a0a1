#include "messages.hpp"
#include "queues.hpp"
#include "times.hpp"
#include "words.hpp"

#include <ima/mailbox/file_system.hpp>

#include <pybind11/stl.h>

namespace ima::python {
namespace {

using namespace py::literals;
using service::queue;
using service::queued_host;
using service::queued_message;

std::chrono::seconds whole(std::chrono::milliseconds span) {
  return std::chrono::duration_cast<std::chrono::seconds>(span);
}

std::shared_ptr<shared_queue> opened(result<queue> q) {
  return std::make_shared<shared_queue>(take(std::move(q)));
}

struct queue_addition {
  std::string id;
  bool already;
};

// The claims go at once, so that whoever runs the queue takes the message.
queue_addition add(shared_queue& q, const py::object& message) {
  const message_in from = message_from(message);
  return q.call([&](queue& inner) -> result<queue_addition> {
    auto added = inner.add(from.header, from.body);
    if (!added) return std::move(added).error();
    return queue_addition{added->id, added->already};
  });
}

void add_records(py::module_& m) {
  using service::retry_policy;
  record<retry_policy> retry(m, "RetryPolicy", R"(When a host is tried again; seconds.

>>> ima.service.RetryPolicy(first=60.0).longest
14400.0
)");
  retry.made(py::init([](std::chrono::milliseconds first, std::chrono::milliseconds longest,
                         std::chrono::milliseconds lifetime) {
               return retry_policy{whole(first), whole(longest), whole(lifetime)};
             }),
             py::kw_only(), "first"_a = 60.0, "longest"_a = 14'400.0, "lifetime"_a = 432'000.0);
  const auto seconds = [](std::chrono::seconds retry_policy::*member) {
    return [member](const retry_policy& p) { return static_cast<double>((p.*member).count()); };
  };
  retry.computed("first", seconds(&retry_policy::first), "After the first try; then doubled.")
      .computed("longest", seconds(&retry_policy::longest), "But never longer than this.")
      .computed("lifetime", seconds(&retry_policy::lifetime), "Then the message is given up.");
  record<queue_addition>(m, "QueueAddition", "What Queue.add() made.")
      .field("id", &queue_addition::id, "64 hexadecimal digits.")
      .field("already", &queue_addition::already, "It was queued before.");
  record<queued_host>(m, "QueuedHost", "One host's share of a message that waits.")
      .field("host", &queued_host::host, "The hostpart.")
      .field("results", &queued_host::results, "A RecipientResult each; DEFER: still to deliver.")
      .field("tries", &queued_host::tries, "How often it was tried.")
      .field("next", &queued_host::next, "When it is due.")
      .field("problem", &queued_host::problem, "Of the last try; may be empty.");
  record<queued_message>(m, "QueuedMessage", "A message that waits for hosts.")
      .field("id", &queued_message::id, "64 hexadecimal digits.")
      .field("created", &queued_message::created, "When it came.")
      .field("originator", &queued_message::originator, "The address that is told of failures.")
      .field("automatic", &queued_message::automatic, "Nobody is told of its failures.")
      .field("held", &queued_message::held, "Not tried until release().")
      .field("hosts", &queued_message::hosts, "A QueuedHost for each host of the recipients.");
}

using queue_class = py::class_<shared_queue, std::shared_ptr<shared_queue>>;

// A call that takes an id and gives nothing.
template <class F>
void add_order(queue_class& c, const char* name, F order, const char* doc) {
  c.def(
      name,
      [order](shared_queue& q, std::string_view id) {
        q.call([&](queue& inner) { return (inner.*order)(id); });
      },
      "id"_a, doc);
}

void add_looking(queue_class& c) {
  c.def(
       "ids", [](shared_queue& q) { return q.call([](queue& inner) { return inner.ids(); }); },
       "The messages that wait.")
      .def(
          "read",
          [](shared_queue& q, std::string_view id) {
            return q.call([&](queue& inner) { return inner.read(id); });
          },
          "id"_a, "What is known of a message: its QueuedMessage.")
      .def(
          "header",
          [](shared_queue& q, std::string_view id) {
            return q.call([&](queue& inner) { return inner.header(id); });
          },
          "id"_a, "Its HeaderBlock.")
      .def(
          "message_path",
          [](shared_queue& q, std::string_view id) { return path_out(q.inner().message_path(id)); },
          "id"_a,
          "Where the message lies, for MessageFile.open(); gone when all its hosts are done.")
      .def(
          "changes",
          [](shared_queue& q) { return q.call([](queue& inner) { return inner.changes(); }); },
          "Grows with each hold(), release() and retry().");
}

}  // namespace

void add_queue(py::module_& m) {
  add_records(m);
  queue_class c(m, "Queue", R"(A directory of messages to be sent.

Any number of processes may use it at once; changes are durable when they return. Safe to use from
many threads. Who sends is ima.net.QueueRunner.

>>> import tempfile
>>> waiting = ima.service.Queue.open(tempfile.mkdtemp())
>>> message = ima.Message.build([("from", "a@a.example"), ("to", "b@b.example")])
>>> added = waiting.add(message)
>>> waiting.ids() == [added.id], waiting.add(message).already
(True, True)
>>> waiting.read(added.id).hosts[0].host
'b.example'
)");
  c.def_static(
       "open",
       [](path_in path) {
         return opened(without_gil(
             [&] { return queue::open(mailbox::posix_file_system(), std::move(path.held)); }));
       },
       "path"_a, "Makes the directory ready where it is not.")
      .def_static(
          "open_existing",
          [](path_in path) {
            return opened(without_gil([&] {
              return queue::open_existing(mailbox::posix_file_system(), std::move(path.held));
            }));
          },
          "path"_a, "Raises LocalProtocolError, rule queue-format, where there is none.")
      .def("add", &add, "message"_a, "Puts a message in, durably, to all its recipients.")
      .def(
          "sweep", [](shared_queue& q) { q.call([](queue& inner) { return inner.sweep(); }); },
          "Removes what a process that died left behind.");
  add_looking(c);
  add_order(c, "hold", &queue::hold, "It is not tried until release().");
  add_order(c, "release", &queue::release, "It is tried again.");
  add_order(c, "retry", &queue::retry, "All its hosts are due at once.");
  add_order(c, "drop", &queue::drop, "Removes it without a report.");
}

}  // namespace ima::python
