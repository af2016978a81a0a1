#pragma once

#include <ima/date.hpp>

#include <pybind11/pybind11.h>

#include <chrono>
#include <cmath>

// Time in Python's types: a moment is an aware datetime, a duration is a float of seconds.

namespace pybind11::detail {

template <>
struct type_caster<ima::timestamp> {
  PYBIND11_TYPE_CASTER(ima::timestamp, const_name("datetime.datetime"));

  bool load(handle from, bool) {
    const object type = module_::import("datetime").attr("datetime");
    if (!isinstance(from, type)) return false;
    const object offset = from.attr("utcoffset")();
    if (offset.is_none()) throw value_error("a datetime without a time zone");
    // A whole second, as the float of timestamp() has no room for microseconds in far years.
    const object whole = from.attr("replace")(arg("microsecond") = 0);
    value.at = std::chrono::sys_seconds(
        std::chrono::seconds(cast<std::int64_t>(int_(whole.attr("timestamp")()))));
    value.offset =
        std::chrono::minutes(cast<std::int64_t>(int_(offset.attr("total_seconds")())) / 60);
    return true;
  }

  static handle cast(const ima::timestamp& moment, return_value_policy, handle) {
    const module_ datetime = module_::import("datetime");
    const object delta = datetime.attr("timedelta");
    const object zone = datetime.attr("timezone")(delta(arg("minutes") = moment.offset.count()));
    const object epoch = datetime.attr("datetime")(1970, 1, 1, arg("tzinfo") = zone);
    const auto local = moment.at.time_since_epoch() + moment.offset;
    return (epoch + delta(arg("seconds") = local.count())).release();
  }

 private:
  template <class T>
  static T cast(const object& from) {
    return pybind11::cast<T>(from);
  }
};

template <>
struct type_caster<std::chrono::sys_seconds> {
  PYBIND11_TYPE_CASTER(std::chrono::sys_seconds, const_name("datetime.datetime"));

  bool load(handle from, bool convert) {
    type_caster<ima::timestamp> moment;
    if (!moment.load(from, convert)) return false;
    value = static_cast<ima::timestamp&>(moment).at;
    return true;
  }
  static handle cast(std::chrono::sys_seconds at, return_value_policy policy, handle parent) {
    return type_caster<ima::timestamp>::cast(ima::timestamp{at, {}}, policy, parent);
  }
};

template <>
struct type_caster<std::chrono::milliseconds> {
  PYBIND11_TYPE_CASTER(std::chrono::milliseconds, const_name("float"));

  bool load(handle from, bool) {
    if (PyFloat_Check(from.ptr()) == 0 && PyLong_Check(from.ptr()) == 0) return false;
    const double seconds = PyFloat_AsDouble(from.ptr());
    if (PyErr_Occurred() != nullptr) throw error_already_set();
    // The longest that is certain to fit into any clock's arithmetic: about thirty years.
    if (!(seconds >= 0 && seconds <= 1e9)) throw value_error("a time that is negative or too long");
    value = std::chrono::milliseconds(std::llround(seconds * 1000));
    return true;
  }
  static handle cast(std::chrono::milliseconds span, return_value_policy, handle) {
    return PyFloat_FromDouble(static_cast<double>(span.count()) / 1000);
  }
};

}  // namespace pybind11::detail
