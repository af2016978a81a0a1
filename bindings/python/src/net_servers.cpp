#include "accounts.hpp"
#include "embedded.hpp"
#include "handlers.hpp"
#include "net_options.hpp"
#include "queues.hpp"
#include "times.hpp"

#include <ima/net/delivery_server.hpp>
#include <ima/net/retrieval_server.hpp>
#include <ima/net/submission.hpp>
#include <ima/service/accounts.hpp>
#include <ima/service/post_office.hpp>

#include <pybind11/stl.h>

#include <memory>

namespace ima::python {
namespace {

using namespace py::literals;
using listen = std::vector<std::string>;

struct delivery_backing {
  handler_in handler;
  std::unique_ptr<log_sink> log;
  std::vector<PyObject*> refers_to;  // kept by the others
};
using delivery_server = embedded<net::delivery_server, delivery_backing>;

std::unique_ptr<delivery_server> make_delivery_server(const py::object& handler,
                                                      const tls::context& tls, listen addresses,
                                                      const limits& bounds, std::size_t workers,
                                                      std::size_t connections,
                                                      std::size_t connections_per_peer,
                                                      const py::object& log) {
  auto backing = std::make_unique<delivery_backing>(
      delivery_backing{handler_in(handler), log_from(log), {log.ptr()}});
  if (backing->handler.is_python()) backing->refers_to.push_back(handler.ptr());
  net::delivery_server_options options;
  options.listen = std::move(addresses);
  options.bounds = bounds;
  options.workers = workers;
  options.connections = connections;
  options.connections_per_peer = connections_per_peer;
  options.log = backing->log.get();
  auto server = take(net::delivery_server::create(options, tls, *backing->handler));
  return std::make_unique<delivery_server>(std::move(backing), std::move(server));
}

// Sends what users submit. It may be shared by several post offices.
struct shared_submitter {
  shared_submitter(const tls::context& tls, const hosts& where,
                   std::vector<std::string> dns_servers, const limits& bounds,
                   std::chrono::milliseconds header_round, std::shared_ptr<shared_queue> waiting,
                   const service::retry_policy& retry, const py::object& log)
      : options(where, std::move(dns_servers), bounds, header_round, log),
        queue(std::move(waiting)),
        inner(tls, {options.sender, queue ? &queue->inner() : nullptr, retry}) {}

  sending_options options;
  std::shared_ptr<shared_queue> queue;
  net::submitter inner;
};

struct retrieval_backing {
  std::shared_ptr<shared_submitter> sender;
  std::unique_ptr<log_sink> log;
  std::unique_ptr<retrieval::authenticator> office;
  std::vector<PyObject*> refers_to;  // kept by the others
};
using retrieval_server = embedded<net::retrieval_server, retrieval_backing>;

std::unique_ptr<retrieval_server> make_retrieval_server(
    const py::object& users, const tls::context& tls, listen addresses, const limits& bounds,
    std::size_t workers, std::size_t connections, bool trust_issued_names, path_in indexes,
    std::shared_ptr<shared_submitter> sender, const py::object& log) {
  service::post_office_options of_office;
  of_office.sender = sender ? &sender->inner : nullptr;
  of_office.queue = sender && sender->queue;
  of_office.indexes = std::move(indexes.held);
  of_office.bounds = bounds;
  auto backing = std::make_unique<retrieval_backing>(retrieval_backing{
      std::move(sender), log_from(log), office_from(users, of_office), {log.ptr()}});
  if (!py::isinstance<service::accounts>(users)) backing->refers_to.push_back(users.ptr());
  net::retrieval_server_options options;
  options.listen = std::move(addresses);
  options.bounds = bounds;
  options.workers = workers;
  options.connections = connections;
  options.trust_issued_names = trust_issued_names;
  options.log = backing->log.get();
  auto server = take(net::retrieval_server::create(options, tls, *backing->office));
  return std::make_unique<retrieval_server>(std::move(backing), std::move(server));
}

void stop_all() {
  for (any_server* server : std::set(running_servers())) server->stop_and_wait();
}

}  // namespace

void add_net_servers(py::module_& m) {
  py::class_<delivery_server> incoming(m, "DeliveryServer", collected<delivery_server>(),
                                       R"(Receives mail from other servers.

``handler`` is an ima.delivery.Handler, or any object with ``open(header, peer)`` that returns an
object with ``judge()``, ``body(piece)`` and ``finish(sink)``. They are called on worker threads; an
exception defers the message.
)");
  incoming.def(py::init(&make_delivery_server), "handler"_a, "tls"_a, py::kw_only(),
               "listen"_a = listen{"[::]:20025"}, "limits"_a = limits{}, "workers"_a = 16,
               "connections"_a = 1000, "connections_per_peer"_a = 100, "log"_a = py::none(),
               "Opens the listening sockets; ``log`` is called with (level, name, fields).");
  incoming.def_property_readonly("addresses", &delivery_server::addresses,
                                 "Where it listens, with the ports.");
  add_running(incoming);
  py::class_<shared_submitter, std::shared_ptr<shared_submitter>>(
      m, "Submitter", R"(Sends what a post office's users submit.

With a ``queue``, which a QueueRunner empties, what a host cannot take now waits there; without one a
message is sent to all or to nobody.

>>> sender = Submitter(ima.tls.Context(), hosts={"b.example": "127.0.0.1:20025"})
)")
      .def(py::init<const tls::context&, const hosts&, std::vector<std::string>, const limits&,
                    std::chrono::milliseconds, std::shared_ptr<shared_queue>,
                    const service::retry_policy&, const py::object&>(),
           "tls"_a, py::kw_only(), "hosts"_a = hosts{},
           "dns_servers"_a = std::vector<std::string>{}, "limits"_a = limits{},
           "header_round"_a = net::sender_options{}.header_round,
           "queue"_a = std::shared_ptr<shared_queue>(), "retry"_a = service::retry_policy{},
           "log"_a = py::none(), "The arguments are those of send_or_queue().")
      .def(
          "use", [](shared_submitter& s, const tls::context& tls) { s.inner.use(tls); }, "tls"_a,
          "Messages that are sent from now on use ``tls``.");
  py::class_<retrieval_server> office(m, "RetrievalServer", collected<retrieval_server>(),
                                      R"(A post office over mailboxes on disk.

``users`` is an ima.service.Accounts, of which it takes a copy, or any object with ``by_password(user,
password)`` and ``by_certificate(user, key, names)`` that return the path of the user's mailbox, an
object with the methods of Account, or None. It may also have ``change_password(user, old, new)`` and
``addresses_of(user)``, whom the user may send from; and ``capabilities``, a list of those that its
accounts have. They are called on worker threads. An exception whose rule is a word of
docs/retrieval.md section 7 reaches the user as that word. What users send goes out by ``sender``, a
Submitter; without one nothing can be sent. ``indexes`` is a directory for the mailboxes' indexes, on a
disk of this host; without one each is in its mailbox. The context is made for ``protocol="imrp"``.
)");
  office.def(py::init(&make_retrieval_server), "users"_a, "tls"_a, py::kw_only(),
             "listen"_a = listen{"[::]:20093"}, "limits"_a = limits{}, "workers"_a = 4,
             "connections"_a = 1000, "trust_issued_names"_a = false, "indexes"_a = "",
             "sender"_a = std::shared_ptr<shared_submitter>(), "log"_a = py::none(),
             "Opens the listening sockets; ``log`` is called with (level, name, fields).");
  office.def_property_readonly("addresses", &retrieval_server::addresses,
                               "Where it listens, with the ports.");
  add_running(office);
  add_queue_runner(m);
  // Threads must not call Python once the interpreter ends.
  py::module_::import("atexit").attr("register")(py::cpp_function(&stop_all));
}

}  // namespace ima::python
