#include "addresses.hpp"
#include "binding.hpp"

#include <ima/service/routing.hpp>

#include <pybind11/stl.h>

#include <memory>
#include <utility>

namespace ima::python {
namespace {

using namespace py::literals;
using service::resolution;
using service::route;
using service::routing_table;
using words = std::vector<std::string>;
using addresses = std::vector<address_in>;

route route_from(path_in mailbox, words command, const addresses& alias) {
  route out{std::move(mailbox.held), std::move(command), {}};
  for (const address_in& one : alias) out.alias.push_back(*one);
  return out;
}

void add_records(py::module_& m) {
  record<route>(m, "Route", "What is done for one address; one of the three.")
      .computed(
          "mailbox", [](const route& r) { return path_out(r.mailbox); },
          "The path of a mailbox, or empty.")
      .field("command", &route::command, "A command's arguments.")
      .field("alias", &route::alias, "Other addresses that stand for this one.");
  using service::destination;
  record<destination>(m, "Destination", "One place where mail goes.")
      .field("whose", &destination::whose, "The Address whose entry says so.")
      .field("route", &destination::what, "The Route: a mailbox or a command.");
  record<resolution>(m, "Resolution", "Where mail for a recipient goes in the end.")
      .field("known", &resolution::known, "Its entry leads somewhere.")
      .field("alias", &resolution::alias, "Its entry stands for other addresses.")
      .field("here", &resolution::here, "A Destination for each place on this host.")
      .field("elsewhere", &resolution::elsewhere, "Addresses at other hosts.")
      .field("nonexistent", &resolution::nonexistent, "Ours, named by an alias, without an entry.");
}

void add_entries(py::class_<routing_table>& c) {
  c.def("add_host", &routing_table::add_host, "hostpart"_a,
        "Makes a hostpart ours: its addresses without an entry do not exist.")
      .def(
          "add",
          [](routing_table& t, const address_in& recipient, path_in mailbox, words command,
             const addresses& alias) {
            take(t.add(*recipient, route_from(std::move(mailbox), std::move(command), alias)));
          },
          "recipient"_a, py::kw_only(), "mailbox"_a = "", "command"_a = words{},
          "alias"_a = py::tuple(),
          "Delivers into a mailbox (a path), to a command (its arguments), or to other addresses.")
      .def(
          "add_catch_all",
          [](routing_table& t, std::string_view hostpart, path_in mailbox, words command,
             const addresses& alias) {
            take(t.add_catch_all(hostpart,
                                 route_from(std::move(mailbox), std::move(command), alias)));
          },
          "hostpart"_a, py::kw_only(), "mailbox"_a = "", "command"_a = words{},
          "alias"_a = py::tuple(), "The same for all addresses of a hostpart without an entry.")
      .def(
          "add_database",
          [](routing_table& t, const path_in& path) {
            t.add_source(
                take(without_gil([&] { return service::open_route_database(path.held); })));
          },
          "path"_a, "Entries in an SQLite file, beside those that were added, which come first.");
}

void add_questions(py::class_<routing_table>& c) {
  c.def(
       "check", [](const routing_table& t) { take(t.check()); },
       "Raises LocalProtocolError, rule route, for an alias to an address that does not exist.")
      .def_property_readonly("leads_elsewhere", &routing_table::leads_elsewhere,
                             "An alias leads to another host.")
      .def("is_ours", &routing_table::is_ours, "hostpart"_a, "Whether add_host() named it.")
      .def(
          "find",
          [](const routing_table& t, const address_in& a) {
            return take(without_gil([&] { return t.find(*a); }));
          },
          "recipient"_a, "The Route of the entry an address leads to, or None.")
      .def(
          "resolve",
          [](const routing_table& t, const address_in& a) {
            return take(without_gil([&] { return service::resolve(t, *a); }));
          },
          "recipient"_a, "Follows aliases to their ends; returns a Resolution.");
}

}  // namespace

void add_routing(py::module_& m) {
  add_records(m);
  py::class_<routing_table> c(m, "RoutingTable", R"(What a host does for each of its addresses.

Filled by one thread, then only read.

>>> routes = ima.service.RoutingTable()
>>> routes.add_host("b.example")
>>> routes.add("bob@b.example", mailbox="/var/mail/bob")
>>> routes.add("sales@b.example", alias=["bob@b.example", "eve@c.example"])
>>> routes.find("Bob+lists@b.example").mailbox, routes.find("dan@b.example")
('/var/mail/bob', None)
>>> routes.add_catch_all("b.example", mailbox="/var/mail/rest")
>>> routes.find("dan@b.example").mailbox
'/var/mail/rest'
>>> found = routes.resolve("sales@b.example")
>>> [d.route.mailbox for d in found.here], found.elsewhere
(['/var/mail/bob'], [Address('eve@c.example')])
)");
  c.def(py::init<>(), "An empty table.");
  add_entries(c);
  add_questions(c);
}

}  // namespace ima::python
