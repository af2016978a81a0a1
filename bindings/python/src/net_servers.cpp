#include "binding.hpp"
#include "handlers.hpp"
#include "times.hpp"

#include <ima/net/delivery_server.hpp>
#include <ima/net/retrieval_server.hpp>
#include <ima/service/accounts.hpp>
#include <ima/service/post_office.hpp>

#include <pybind11/stl.h>

#include <atomic>
#include <memory>
#include <set>
#include <thread>

namespace ima::python {
namespace {

using namespace py::literals;
using listen = std::vector<std::string>;

class any_server {
 public:
  virtual ~any_server() = default;
  virtual void stop_and_wait() = 0;
};

// Those that are running, to be stopped before the interpreter ends; guarded by the GIL.
std::set<any_server*> running;

// A server with what it refers to, run by a thread of its own. All members are called with the GIL.
template <class Server, class Backing>
class embedded : public any_server {
 public:
  embedded(std::shared_ptr<Backing> backing, Server server)
      : backing_(std::move(backing)), server_(std::make_unique<Server>(std::move(server))) {}
  embedded(const embedded&) = delete;
  embedded& operator=(const embedded&) = delete;
  // In a forked child neither the thread nor what it locked is there any more.
  ~embedded() override {
    if (process_.here()) {
      stop_and_wait();
      return;
    }
    running.erase(this);
    new std::shared_ptr<Backing>(std::move(backing_));
    server_.release();  // NOLINT(bugprone-unused-return-value): kept on purpose
    if (thread_.joinable()) thread_.detach();
  }

  void start() {
    process_.check();
    if (started_) raise({fault::caller, "out-of-turn", "", "a server runs once"});
    started_ = true;
    running.insert(this);
    thread_ = std::thread([this] {
      server_->run();
      over_ = true;
      over_.notify_all();
    });
  }
  void stop() {
    process_.check();
    server_->stop();
  }
  void wait() {
    process_.check();
    if (!thread_.joinable()) return;
    without_gil([&] { thread_.join(); });
    running.erase(this);
  }
  void stop_and_wait() override {
    server_->stop();
    wait();
  }
  // Serves on a thread of its own while this one looks after signals.
  void run() {
    start();
    while (!over_) {
      without_gil([] { std::this_thread::sleep_for(std::chrono::milliseconds(100)); });
      if (PyErr_CheckSignals() != 0) {
        py::error_already_set interrupted;
        stop_and_wait();
        throw py::error_already_set(std::move(interrupted));
      }
    }
    wait();
  }
  void use(const tls::context& tls) {
    process_.check();
    server_->use(tls);
  }
  const std::vector<std::string>& addresses() const { return server_->addresses(); }

 private:
  std::shared_ptr<Backing> backing_;  // outlives the server
  std::unique_ptr<Server> server_;
  std::thread thread_;
  std::atomic<bool> over_ = false;
  bool started_ = false;
  one_process process_;
};

struct delivery_backing {
  handler_in handler;
  std::unique_ptr<log_sink> log;
};
using delivery_server = embedded<net::delivery_server, delivery_backing>;

std::unique_ptr<delivery_server> make_delivery_server(const py::object& handler,
                                                      const tls::context& tls, listen addresses,
                                                      const limits& bounds, std::size_t workers,
                                                      std::size_t connections,
                                                      std::size_t connections_per_peer,
                                                      const py::object& log) {
  auto backing =
      std::make_shared<delivery_backing>(delivery_backing{handler_in(handler), log_from(log)});
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

// Users that Python knows: an object with by_password(user, password) and by_certificate(user, key,
// names), which return the path of a mailbox or raise.
class python_users : public service::user_directory {
 public:
  explicit python_users(py::object inner) : inner_(std::move(inner)) {}

  result<std::string> by_password(std::string_view user, octets password) override {
    const with_gil gil;
    return ask("by_password", py::make_tuple(user, to_bytes(password)));
  }
  result<std::string> by_certificate(std::string_view user,
                                     const retrieval::certificate_facts& facts) override {
    const with_gil gil;
    return ask("by_certificate", py::make_tuple(user, facts.key, facts.operator_ca_names));
  }

 private:
  result<std::string> ask(const char* method, const py::tuple& arguments) {
    try {
      const py::object path = (*inner_).attr(method)(*arguments);
      if (!path.is_none()) return path.cast<std::string>();
      return retrieval::refusal(retrieval::reason::auth, "wrong user name or proof");
    } catch (py::error_already_set& thrown) {
      return error_from(thrown);
    } catch (const py::cast_error&) {
      return error{fault::temporary, "handler", "", "a path was wanted"};
    }
  }

  anywhere inner_;
};

struct retrieval_backing {
  retrieval_backing(std::shared_ptr<service::user_directory> u, std::unique_ptr<log_sink> l)
      : users(std::move(u)), log(std::move(l)), office(mailbox::posix_file_system(), *users) {}
  std::shared_ptr<service::user_directory> users;
  std::unique_ptr<log_sink> log;
  service::post_office office;
};
using retrieval_server = embedded<net::retrieval_server, retrieval_backing>;

std::shared_ptr<service::user_directory> users_from(const py::object& given) {
  if (py::isinstance<service::accounts>(given))
    return std::make_shared<service::accounts>(given.cast<const service::accounts&>());
  return std::make_shared<python_users>(given);
}

std::unique_ptr<retrieval_server> make_retrieval_server(
    const py::object& users, const tls::context& tls, listen addresses, const limits& bounds,
    std::size_t workers, std::size_t connections, bool trust_issued_names, const py::object& log) {
  auto backing = std::make_shared<retrieval_backing>(users_from(users), log_from(log));
  net::retrieval_server_options options;
  options.listen = std::move(addresses);
  options.bounds = bounds;
  options.workers = workers;
  options.connections = connections;
  options.trust_issued_names = trust_issued_names;
  options.log = backing->log.get();
  auto server = take(net::retrieval_server::create(options, tls, backing->office));
  return std::make_unique<retrieval_server>(std::move(backing), std::move(server));
}

template <class Server>
void add_running(py::class_<Server>& c) {
  c.def("run", &Server::run, "Serves until stop() or a signal's exception. Blocks.")
      .def("start", &Server::start, "Serves on a thread of its own.")
      .def("stop", &Server::stop, "Takes no more; messages in hand are answered.")
      .def("wait", &Server::wait, "Waits until it has stopped.")
      .def("use", &Server::use, "tls"_a, "New connections use ``tls`` from now on.")
      .def_property_readonly("addresses", &Server::addresses, "Where it listens, with the ports.")
      .def("__enter__",
           [](py::object self) {
             self.cast<Server&>().start();
             return self;
           })
      .def("__exit__", [](Server& s, const py::args&) { s.stop_and_wait(); });
}

void stop_all() {
  for (any_server* server : std::set(running)) server->stop_and_wait();
}

}  // namespace

void add_net_servers(py::module_& m) {
  py::class_<delivery_server> incoming(m, "DeliveryServer", R"(Receives mail from other servers.

``handler`` is an ima.delivery.Handler, or any object with ``open(header, peer)`` that returns an
object with ``judge()``, ``body(piece)`` and ``finish(sink)``. They are called on worker threads; an
exception defers the message.
)");
  incoming.def(py::init(&make_delivery_server), "handler"_a, "tls"_a, py::kw_only(),
               "listen"_a = listen{"[::]:20025"}, "limits"_a = limits{}, "workers"_a = 4,
               "connections"_a = 1000, "connections_per_peer"_a = 100, "log"_a = py::none(),
               "Opens the listening sockets; ``log`` is called with (level, name, fields).");
  add_running(incoming);
  py::class_<retrieval_server> office(m, "RetrievalServer", R"(A post office over mailboxes on disk.

``users`` is an ima.service.Accounts, of which it takes a copy, or any object with ``by_password(user, password)`` and
``by_certificate(user, key, names)`` that return the path of the user's mailbox, or None. The context
is made for ``protocol="imrp"``.
)");
  office.def(py::init(&make_retrieval_server), "users"_a, "tls"_a, py::kw_only(),
             "listen"_a = listen{"[::]:20093"}, "limits"_a = limits{}, "workers"_a = 4,
             "connections"_a = 1000, "trust_issued_names"_a = false, "log"_a = py::none(),
             "Opens the listening sockets; ``log`` is called with (level, name, fields).");
  add_running(office);
  // Threads must not call Python once the interpreter ends.
  py::module_::import("atexit").attr("register")(py::cpp_function(&stop_all));
}

}  // namespace ima::python
