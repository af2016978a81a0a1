#include "embedded.hpp"
#include "messages.hpp"
#include "net_options.hpp"
#include "queues.hpp"
#include "signals.hpp"
#include "times.hpp"
#include "words.hpp"

#include <ima/net/queue_runner.hpp>

#include <pybind11/stl.h>

namespace ima::python {
namespace {

using namespace py::literals;
using service::retry_policy;

// What a runner refers to; members go in reverse order.
struct runner_backing {
  std::shared_ptr<shared_queue> queue;
  std::unique_ptr<log_sink> log;
  std::vector<PyObject*> refers_to;  // kept by the others
};
using runner = embedded<net::queue_runner, runner_backing>;

std::unique_ptr<runner> make_runner(const std::shared_ptr<shared_queue>& queue,
                                    const tls::context& tls, const hosts& where,
                                    std::vector<std::string> dns_servers, const limits& bounds,
                                    const retry_policy& retry, std::chrono::milliseconds scan,
                                    const py::object& log) {
  auto backing =
      std::make_unique<runner_backing>(runner_backing{queue, log_from(log), {log.ptr()}});
  net::queue_runner_options options;
  options.hosts.insert(where.begin(), where.end());
  options.dns.servers = std::move(dns_servers);
  options.bounds = bounds;
  options.retry = retry;
  options.scan = scan;
  options.log = backing->log.get();
  auto made = take(net::queue_runner::create(queue->inner(), tls, options));
  return std::make_unique<runner>(std::move(backing), std::move(made));
}

net::send_report send_or_queue(const py::object& message, shared_queue& queue,
                               const tls::context& tls, const hosts& where,
                               std::vector<std::string> dns_servers, const limits& bounds,
                               std::chrono::milliseconds header_round, const retry_policy& retry,
                               const py::object& log) {
  const message_in from = message_from(message);
  sending_options options(where, std::move(dns_servers), bounds, header_round, log);
  const signals interrupts;
  options.sender.interrupted = interrupts.question();
  auto report = without_gil([&] {
    return net::send_or_queue(from.header, from.body, queue.inner(), tls, options.sender, retry);
  });
  interrupts.rethrow();
  return take(std::move(report));
}

}  // namespace

void add_queue_runner(py::module_& m) {
  m.def("send_or_queue", &send_or_queue, "message"_a, "queue"_a, "tls"_a, py::kw_only(),
        "hosts"_a = hosts{}, "dns_servers"_a = std::vector<std::string>{}, "limits"_a = limits{},
        "header_round"_a = net::sender_options{}.header_round, "retry"_a = retry_policy{},
        "log"_a = py::none(),
        "Sends a message as send_message() does, but by way of a queue: what is refused for "
        "good is sent nowhere, what cannot be delivered now waits for a QueueRunner.");
  py::class_<runner> c(m, "QueueRunner", collected<runner>(), R"(Delivers what is due in a queue.

Any number of runners may share a queue. ``run_once()`` tries what is due and returns; a ``with``
statement, start() or run() keep at it.

>>> import tempfile
>>> queue = ima.service.Queue.open(tempfile.mkdtemp())
>>> QueueRunner(queue, ima.tls.Context()).run_once()
)");
  c.def(py::init(&make_runner), "queue"_a, "tls"_a, py::kw_only(), "hosts"_a = hosts{},
        "dns_servers"_a = std::vector<std::string>{}, "limits"_a = limits{},
        "retry"_a = retry_policy{}, "scan"_a = std::chrono::milliseconds(1'000),
        "log"_a = py::none(), "``scan`` is how often it looks for new messages.")
      .def(
          "run_once",
          [](runner& r) {
            const signals interrupts;
            r.call([&](net::queue_runner& inner) { return inner.run_once(interrupts.question()); });
            interrupts.rethrow();
          },
          "Tries what is due now, once. A signal's exception ends it as stop() does.");
  add_running(c);
}

}  // namespace ima::python
