#include "binding.hpp"
#include "handlers.hpp"
#include "messages.hpp"
#include "times.hpp"
#include "words.hpp"

#include <ima/net/sender.hpp>

#include <pybind11/stl.h>

namespace ima::python {
namespace {

using namespace py::literals;
using hosts = std::map<std::string, std::string>;

net::send_report send(const py::object& message, const tls::context& tls, const hosts& where,
                      std::vector<std::string> dns_servers, const limits& bounds,
                      std::chrono::milliseconds header_round, const py::object& log) {
  const message_in from = message_from(message);
  const auto sink = log_from(log);
  net::sender_options options;
  options.hosts.insert(where.begin(), where.end());
  options.dns.servers = std::move(dns_servers);
  options.bounds = bounds;
  options.header_round = header_round;
  options.log = sink.get();
  return take(without_gil([&] { return net::send_message(from.header, from.body, tls, options); }));
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
                return send_report{what, std::move(each)};
              }),
              "outcome"_a, "hosts"_a);
  report.field("outcome", &send_report::what, "delivered, refused, deferred or mixed.")
      .field("hosts", &send_report::hosts, "A HostReport for each host of the recipients.");
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
  add_net_clients(m);
  add_net_servers(m);
}

}  // namespace ima::python
