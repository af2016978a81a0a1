#pragma once

#include "binding.hpp"

#include <ima/address.hpp>

namespace ima::python {

/// An argument that is an Address, or a text that is parsed as one.
struct address_in {
  std::optional<address> held;
  const address& operator*() const { return *held; }
};

}  // namespace ima::python

namespace pybind11::detail {

template <>
struct type_caster<ima::python::address_in> {
  PYBIND11_TYPE_CASTER(ima::python::address_in, const_name("Address | str"));

  bool load(handle from, bool) {
    if (isinstance<ima::address>(from)) {
      value.held = from.cast<const ima::address&>();
      return true;
    }
    if (!isinstance<str>(from)) return false;
    value.held = ima::python::take(ima::address::parse(from.cast<std::string>()));
    return true;
  }
};

}  // namespace pybind11::detail
