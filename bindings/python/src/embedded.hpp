#pragma once

#include "binding.hpp"

#include <ima/tls/context.hpp>

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace ima::python {

class any_server {
 public:
  virtual ~any_server() = default;
  virtual void stop_and_wait() = 0;
};

/// Those that are running, to be stopped before the interpreter ends; guarded by the GIL.
inline std::set<any_server*>& running_servers() {
  static std::set<any_server*> all;
  return all;
}

/// A server with what it refers to, run by a thread of its own. All members are called with the
/// GIL. When it has stopped it lets go of everything, so that a handler may know its server.
template <class Server, class Backing>
class embedded : public any_server {
 public:
  embedded(std::unique_ptr<Backing> backing, Server server)
      : state_(std::make_shared<state>(std::move(backing), std::move(server))) {
    if constexpr (requires { state_->server.addresses(); }) addresses_ = state_->server.addresses();
  }
  embedded(const embedded&) = delete;
  embedded& operator=(const embedded&) = delete;
  // In a forked child neither the thread nor what it locked is there any more. A thread of the
  // server's own cannot wait for its end.
  ~embedded() override {
    running_servers().erase(this);
    const bool here = process_.here();
    if (here && state_) state_->server.stop();
    if (!here) new std::shared_ptr<state>(std::move(state_));
    if (!thread_.joinable()) return;
    if (here && !with_gil::called_by_library())
      without_gil([&] { thread_.join(); });
    else
      thread_.detach();
  }

  void start() {
    process_.check();
    if (started_) raise({fault::caller, "out-of-turn", "", "a server runs once"});
    started_ = true;
    running_servers().insert(this);
    thread_ = std::thread([running = state_] { running->run(); });
  }
  void stop() {
    process_.check();
    if (state_) state_->server.stop();
  }
  /// Looks after signals meanwhile; one that raises an exception leaves the server running.
  void wait() {
    process_.check();
    const std::shared_ptr<state> running = state_;
    if (!started_ || !running) return;
    if (with_gil::called_by_library())
      raise({fault::caller, "in-use", "", "what a server calls cannot wait for a server's end"});
    while (!running->ends_soon())
      if (PyErr_CheckSignals() != 0) throw py::error_already_set();
    let_go();
    take(std::exchange(running->outcome, result<void>()));
  }
  /// Does nothing in a forked child.
  void stop_and_wait() override {
    if (!process_.here()) return;
    stop();
    wait();
  }
  /// One call of the server that waits for disks and networks.
  template <class F>
  auto call(F&& work) {
    process_.check();
    const std::shared_ptr<state> in_use = state_;
    if (!in_use) raise({fault::caller, "out-of-turn", "", "it has been stopped"});
    return take(without_gil([&] { return work(in_use->server); }));
  }
  void run() {
    start();
    try {
      wait();
    } catch (const py::error_already_set& interrupted) {
      stop_and_wait();
      throw;
    }
  }
  void use(const tls::context& tls) {
    process_.check();
    if (state_) state_->server.use(tls);
  }
  const std::vector<std::string>& addresses() const { return addresses_; }

  /// For the collector of cycles, to which a server that runs is in use.
  int visit(visitproc visitor, void* more) const {
    if (!state_ || is_running()) return 0;
    for (PyObject* one : state_->backing->refers_to)
      if (const int stop = visitor(one, more); stop != 0) return stop;
    return 0;
  }
  void clear() {
    if (!is_running()) let_go();
  }

 private:
  struct state {
    state(std::unique_ptr<Backing> b, Server s) : backing(std::move(b)), server(std::move(s)) {}

    void run() {
      if constexpr (std::is_void_v<decltype(server.run())>)
        server.run();
      else
        outcome = server.run();
      const std::lock_guard lock(mutex);
      over = true;
      ended.notify_all();
    }
    // Whether run() is at its end, a moment later at the most.
    bool ends_soon() {
      return without_gil([&] {
        std::unique_lock lock(mutex);
        return ended.wait_for(lock, std::chrono::milliseconds(100), [&] { return over; });
      });
    }
    bool is_over() {
      const std::lock_guard lock(mutex);
      return over;
    }

    std::unique_ptr<Backing> backing;  // outlives the server
    Server server;
    std::mutex mutex;  // guards what follows
    bool over = false;
    std::condition_variable ended;
    result<void> outcome;  // of a run() that can fail; read when it has ended
  };

  // In a forked child a lock may be held for ever, so nothing is asked there.
  bool is_running() const { return !process_.here() || (started_ && state_ && !state_->is_over()); }
  // When the thread is at its end. With the GIL, so that nobody else does.
  void let_go() {
    if (thread_.joinable()) thread_.join();
    running_servers().erase(this);
    state_.reset();
  }

  std::shared_ptr<state> state_;  // none when it has stopped
  std::vector<std::string> addresses_;
  std::thread thread_;
  bool started_ = false;
  one_process process_;
};

/// Lets Python collect a server that its own handler refers to.
template <class Server>
py::custom_type_setup collected() {
  static constexpr auto of = [](PyObject* self) {
    auto* const one = reinterpret_cast<py::detail::instance*>(self);
    return one->get_value_and_holder().template value_ptr<Server>();  // null: not made yet
  };
  return py::custom_type_setup([](PyHeapTypeObject* kind) {
    PyTypeObject& type = kind->ht_type;
    type.tp_flags |= Py_TPFLAGS_HAVE_GC;
    type.tp_traverse = [](PyObject* self, visitproc visitor, void* more) {
      if (const int stop = visitor(reinterpret_cast<PyObject*>(Py_TYPE(self)), more); stop != 0)
        return stop;
      const Server* server = of(self);
      return server == nullptr ? 0 : server->visit(visitor, more);
    };
    type.tp_clear = [](PyObject* self) {
      if (Server* server = of(self)) server->clear();
      return 0;
    };
  });
}

/// What every server has.
template <class Server>
void add_running(py::class_<Server>& c) {
  c.def("run", &Server::run, "Serves until stop() or a signal's exception. Blocks.")
      .def("start", &Server::start, "Serves on a thread of its own.")
      .def("stop", &Server::stop, "Takes no more; messages in hand are answered.")
      .def("wait", &Server::wait,
           "Waits until it has stopped, for as long as handlers take. What a server calls (a "
           "handler, "
           "an account, a log) may stop() servers but not wait for them.")
      .def("use", &Server::use, py::arg("tls"), "New connections use ``tls`` from now on.")
      .def("__enter__",
           [](py::object self) {
             self.cast<Server&>().start();
             return self;
           })
      .def("__exit__", [](Server& s, const py::args&) { s.stop_and_wait(); });
}

void add_queue_runner(py::module_& m);

}  // namespace ima::python
