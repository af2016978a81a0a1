#include "addresses.hpp"

#include <ima/address.hpp>

#include <functional>

namespace ima::python {
namespace {

void add_address(py::module_& m) {
  py::class_<address>(m, "Address", R"(A mail address, ``local@host``. Immutable and hashable.

Addresses compare after ASCII case folding of the local part.

>>> bob = Address("Bob@b.example")
>>> bob.local, bob.host
('Bob', 'b.example')
>>> bob == Address("bob@b.example")
True
>>> Address("nobody")
Traceback (most recent call last):
    ...
ima.errors.RemoteProtocolError: 'nobody' has no '@' [address-syntax]
)")
      .def(py::init([](std::string_view text) { return take(address::parse(text)); }),
           py::arg("text"), "Parses strictly; raises RemoteProtocolError.")
      .def_property_readonly("text", &address::text, "The address as it was written.")
      .def_property_readonly("local", &address::local, "What stands before the ``@``.")
      .def_property_readonly("host", &address::host,
                             "The hostpart: a DNS name of lower-case A-labels.")
      .def_property_readonly("key", &address::key,
                             "The folded text, the same for addresses that compare equal.")
      .def("__str__", &address::text)
      .def("__repr__", [](const address& a) { return py::str("Address({!r})").format(a.text()); })
      .def(
          "__eq__", [](const address& a, const address& b) { return a == b; }, py::is_operator())
      .def("__hash__", [](const address& a) { return std::hash<std::string>()(a.key()); })
      .def(py::pickle([](const address& a) { return std::string(a.text()); },
                      [](const std::string& text) { return take(address::parse(text)); }));
}

void add_named_address(py::module_& m) {
  py::class_<named_address>(m, "NamedAddress",
                            R"(An address with the display name that may stand before it.

>>> bob = NamedAddress.parse("Bob <bob@b.example>")
>>> bob.display_name, str(bob.addr)
('Bob', 'bob@b.example')
>>> str(NamedAddress("Bob", Address("bob@b.example")))
'Bob <bob@b.example>'
)")
      .def(py::init([](std::string display_name, const address_in& addr) {
             return named_address{std::move(display_name), *addr};
           }),
           py::arg("display_name"), py::arg("addr"), "Puts the two together, unchecked.")
      .def_static(
          "parse", [](std::string_view text) { return take(named_address::parse(text)); },
          py::arg("text"), "Parses ``address`` or ``display name <address>``.")
      .def_readonly("display_name", &named_address::display_name, "Empty where there is none.")
      .def_readonly("addr", &named_address::addr, "The address.")
      .def("__str__", &named_address::text)
      .def("__repr__",
           [](const named_address& a) {
             return py::str("NamedAddress({!r}, {!r})").format(a.display_name, a.addr);
           })
      .def(
          "__eq__", [](const named_address& a, const named_address& b) { return a == b; },
          py::is_operator())
      .def("__hash__",
           [](const named_address& a) { return std::hash<std::string>()(a.addr.key()); })
      .def(py::pickle(
          [](const named_address& a) { return py::make_tuple(a.display_name, a.addr); },
          [](const py::tuple& both) {
            return named_address{both[0].cast<std::string>(), both[1].cast<const address&>()};
          }));
}

}  // namespace

void add_addresses(py::module_& m) {
  add_address(m);
  add_named_address(m);
  m.def(
      "check_hostpart", [](std::string_view host) { take(check_hostpart(host)); }, py::arg("host"),
      R"(Checks that ``host`` is a hostpart as it stands on the wire; raises RemoteProtocolError.

>>> check_hostpart("b.example")
)");
  m.def(
      "hostpart_from_unicode",
      [](std::string_view host) { return take(hostpart_from_unicode(host)); }, py::arg("host"),
      R"(Turns what a person types into the wire form of a hostpart.

>>> hostpart_from_unicode("B.Example")
'b.example'
)");
  m.def("hostpart_to_unicode", &hostpart_to_unicode, py::arg("host"),
        R"(Turns a wire hostpart into what a person reads.

>>> hostpart_to_unicode("b.example")
'b.example'
)");
  m.def("printable", &printable, py::arg("text"),
        R"(Copies text with controls and bidirectional overrides shown as escapes.

>>> print(printable("a\tb"))
a\x09b
)");
}

}  // namespace ima::python
