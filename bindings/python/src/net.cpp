#include "binding.hpp"
#include "messages.hpp"
#include "net_options.hpp"
#include "signals.hpp"
#include "times.hpp"
#include "words.hpp"

#include <pybind11/stl.h>

namespace ima::python {
namespace {

using namespace py::literals;

net::send_report send(const py::object& message, const tls::context& tls, const hosts& where,
                      std::vector<std::string> dns_servers, const limits& bounds,
                      std::chrono::milliseconds header_round, const py::object& log) {
  const message_in from = message_from(message);
  sending_options options(where, std::move(dns_servers), bounds, header_round, log);
  const signals interrupts;
  options.sender.interrupted = interrupts.question();
  auto report =
      without_gil([&] { return net::send_message(from.header, from.body, tls, options.sender); });
  interrupts.rethrow();
  return take(std::move(report));
}

void add_reports(py::module_& m) {
  using net::host_report;
  using net::send_report;
  record<host_report> host(m, "HostReport", "What became of a message at one host.");
  host.made(py::init([](std::string name, bool permanent, bool unknown, bool withdrawn,
                        std::string problem, std::vector<delivery::recipient_result> results,
                        std::vector<std::string> notes) {
              return host_report{std::move(name),    permanent,          unknown,         withdrawn,
                                 std::move(problem), std::move(results), std::move(notes)};
            }),
            "host"_a, "permanent"_a, "unknown"_a, "withdrawn"_a, "problem"_a, "results"_a,
            "notes"_a);
  host.field("host", &host_report::host, "The hostpart.")
      .field("permanent", &host_report::permanent, "Trying again will not help.")
      .field("unknown", &host_report::unknown, "It may have been delivered; safe to repeat.")
      .field("withdrawn", &host_report::withdrawn, "Not sent because of other hosts.")
      .field("problem", &host_report::problem, "Why nothing was delivered; empty otherwise.")
      .field("results", &host_report::results, "A RecipientResult for each recipient.")
      .field("notes", &host_report::notes, "Remarks for people.");
  record<send_report> report(m, "SendReport", "What became of a message.");
  report.made(py::init([](send_report::outcome what, std::vector<host_report> each) {
                return send_report{what, std::move(each), false};
              }),
              "outcome"_a, "hosts"_a);
  report.field("outcome", &send_report::what, "delivered, refused, deferred or mixed.")
      .field("hosts", &send_report::hosts, "A HostReport for each host of the recipients.")
      .field("queued", &send_report::queued, "What is deferred waits in the queue.");
}

}  // namespace

void add_net(py::module_& m) {
  add_reports(m);
  m.def("send_message", &send, "message"_a, "tls"_a, py::kw_only(), "hosts"_a = hosts{},
        "dns_servers"_a = std::vector<std::string>{}, "limits"_a = limits{},
        "header_round"_a = net::sender_options{}.header_round, "log"_a = py::none(),
        "Sends a message to all its recipients: every host gets the header first, and only if all "
        "accept does the body go anywhere. ``hosts`` says where a hostpart is reached; others are "
        "looked up in the DNS.");
  m.def(
      "find_service",
      [](std::string_view hostpart, net::service_kind what, std::vector<std::string> dns_servers) {
        net::dns_options options;
        options.servers = std::move(dns_servers);
        const signals interrupts;
        auto found = without_gil(
            [&] { return net::find_service(hostpart, what, options, interrupts.question()); });
        interrupts.rethrow();
        return take(std::move(found));
      },
      "hostpart"_a, "kind"_a, py::kw_only(), "dns_servers"_a = std::vector<std::string>{},
      R"(Where a hostpart is reached: network addresses with ports, in the order to try them.

``kind`` is ``delivery`` or ``retrieval``. Asks for SRV records first; a network address is itself.

>>> find_service("127.0.0.1", "delivery", dns_servers=["nobody"])
Traceback (most recent call last):
    ...
ima.errors.LocalProtocolError: ... [dns-server]
)");
  add_net_clients(m);
  add_net_servers(m);
}

}  // namespace ima::python
