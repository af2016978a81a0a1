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
/// GIL.
template <class Server, class Backing>
class embedded : public any_server {
 public:
  embedded(std::shared_ptr<Backing> backing, Server server)
      : backing_(std::move(backing)), server_(std::make_unique<Server>(std::move(server))) {}
  embedded(const embedded&) = delete;
  embedded& operator=(const embedded&) = delete;
  // In a forked child neither the thread nor what it locked is there any more.
  ~embedded() override {
    running_servers().erase(this);
    if (process_.here()) {
      server_->stop();
      if (thread_.joinable()) without_gil([&] { thread_.join(); });
      return;
    }
    new std::shared_ptr<Backing>(std::move(backing_));
    server_.release();  // NOLINT(bugprone-unused-return-value): kept on purpose
    if (thread_.joinable()) thread_.detach();
  }

  void start() {
    process_.check();
    if (started_) raise({fault::caller, "out-of-turn", "", "a server runs once"});
    started_ = true;
    running_servers().insert(this);
    thread_ = std::thread([this] {
      if constexpr (std::is_void_v<decltype(server_->run())>)
        server_->run();
      else
        outcome_ = server_->run();
      const std::lock_guard lock(ending_);
      over_ = true;
      ended_.notify_all();
    });
  }
  void stop() {
    process_.check();
    server_->stop();
  }
  /// Looks after signals meanwhile; one that raises an exception leaves the server running.
  void wait() {
    process_.check();
    if (!started_) return;
    while (!ends_soon())
      if (PyErr_CheckSignals() != 0) throw py::error_already_set();
    if (thread_.joinable()) thread_.join();  // with the GIL, so that nobody else does
    running_servers().erase(this);
    take(std::exchange(outcome_, result<void>()));
  }
  void stop_and_wait() override {
    server_->stop();
    wait();
  }
  /// One call of the server that waits for disks and networks.
  template <class F>
  auto call(F&& work) {
    process_.check();
    return take(without_gil([&] { return work(*server_); }));
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
    server_->use(tls);
  }
  const std::vector<std::string>& addresses() const { return server_->addresses(); }

 private:
  // Whether the thread is at its end, a moment later at the most.
  bool ends_soon() {
    return without_gil([&] {
      std::unique_lock lock(ending_);
      return ended_.wait_for(lock, std::chrono::milliseconds(100), [&] { return over_; });
    });
  }

  std::shared_ptr<Backing> backing_;  // outlives the server
  std::unique_ptr<Server> server_;
  std::thread thread_;
  std::mutex ending_;  // guards what follows
  bool over_ = false;
  std::condition_variable ended_;
  result<void> outcome_;  // of a run() that can fail; read when the thread has ended
  bool started_ = false;
  one_process process_;
};

/// What every server has.
template <class Server>
void add_running(py::class_<Server>& c) {
  c.def("run", &Server::run, "Serves until stop() or a signal's exception. Blocks.")
      .def("start", &Server::start, "Serves on a thread of its own.")
      .def("stop", &Server::stop, "Takes no more; messages in hand are answered.")
      .def("wait", &Server::wait, "Waits until it has stopped.")
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
