#pragma once

#include <ima/delivery/handler.hpp>
#include <ima/delivery/types.hpp>
#include <ima/net/find_service.hpp>
#include <ima/net/sender.hpp>
#include <ima/retrieval/sending.hpp>
#include <ima/retrieval/types.hpp>
#include <ima/tls/explain.hpp>

#include <pybind11/pybind11.h>

#include <string>
#include <string_view>
#include <utility>

// The words of closed lists are strings in Python, written as the specification writes them.

namespace ima::python {

template <class E>
struct words;

template <>
struct words<delivery::outcome> {
  using enum delivery::outcome;
  static constexpr std::pair<std::string_view, delivery::outcome> all[] = {
      {"OK", ok}, {"FAIL", fail}, {"DEFER", defer}, {"NORECIPIENT", no_recipient}};
};
template <>
struct words<delivery::verdict> {
  using enum delivery::verdict;
  static constexpr std::pair<std::string_view, delivery::verdict> all[] = {
      {"OK", ok}, {"FAIL", fail}, {"PARTIAL", partial}, {"DEFER", defer}};
};
template <>
struct words<delivery::header_answer::kind> {
  using enum delivery::header_answer::kind;
  static constexpr std::pair<std::string_view, delivery::header_answer::kind> all[] = {
      {"accept", accept},
      {"reject", reject},
      {"defer", defer},
      {"verdict", verdict},
      {"drop", drop}};
};
template <>
struct words<net::send_report::outcome> {
  using enum net::send_report::outcome;
  static constexpr std::pair<std::string_view, net::send_report::outcome> all[] = {
      {"delivered", delivered}, {"refused", refused}, {"deferred", deferred}, {"mixed", mixed}};
};
template <>
struct words<retrieval::message_outcome> {
  using enum retrieval::message_outcome;
  static constexpr std::pair<std::string_view, retrieval::message_outcome> all[] = {
      {"done", done}, {"gone", gone}, {"changed", changed}};
};
template <>
struct words<retrieval::recipient_outcome::kind> {
  using enum retrieval::recipient_outcome::kind;
  static constexpr std::pair<std::string_view, retrieval::recipient_outcome::kind> all[] = {
      {"OK", ok}, {"QUEUED", queued}, {"FAIL", fail}, {"DEFER", defer}};
};
template <>
struct words<retrieval::send_verdict> {
  using enum retrieval::send_verdict;
  static constexpr std::pair<std::string_view, retrieval::send_verdict> all[] = {
      {"delivered", delivered},
      {"queued", queued},
      {"mixed", mixed},
      {"refused", refused},
      {"deferred", deferred}};
};
template <>
struct words<net::service_kind> {
  using enum net::service_kind;
  static constexpr std::pair<std::string_view, net::service_kind> all[] = {
      {"delivery", delivery}, {"retrieval", retrieval}};
};
template <>
struct words<tls::peer_role> {
  using enum tls::peer_role;
  static constexpr std::pair<std::string_view, tls::peer_role> all[] = {{"client", client},
                                                                        {"server", server}};
};
template <>
struct words<tls::step::verdict> {
  using enum tls::step::verdict;
  static constexpr std::pair<std::string_view, tls::step::verdict> all[] = {
      {"good", good}, {"bad", bad}, {"skipped", skipped}};
};

}  // namespace ima::python

namespace pybind11::detail {

template <class E>
struct word_caster {
  PYBIND11_TYPE_CASTER(E, const_name("str"));

  bool load(handle from, bool) {
    if (!isinstance<str>(from)) return false;
    const auto word = from.cast<std::string>();
    for (const auto& [known, meaning] : ima::python::words<E>::all)
      if (known == word) {
        value = meaning;
        return true;
      }
    throw value_error("an unknown word: " + word);
  }
  static handle cast(E meaning, return_value_policy, handle) {
    for (const auto& [word, known] : ima::python::words<E>::all)
      if (known == meaning) return str(word.data(), word.size()).release();
    return str().release();
  }
};

template <>
struct type_caster<ima::delivery::outcome> : word_caster<ima::delivery::outcome> {};
template <>
struct type_caster<ima::delivery::verdict> : word_caster<ima::delivery::verdict> {};
template <>
struct type_caster<ima::delivery::header_answer::kind>
    : word_caster<ima::delivery::header_answer::kind> {};
template <>
struct type_caster<ima::net::send_report::outcome> : word_caster<ima::net::send_report::outcome> {};
template <>
struct type_caster<ima::retrieval::message_outcome> : word_caster<ima::retrieval::message_outcome> {
};
template <>
struct type_caster<ima::retrieval::recipient_outcome::kind>
    : word_caster<ima::retrieval::recipient_outcome::kind> {};
template <>
struct type_caster<ima::retrieval::send_verdict> : word_caster<ima::retrieval::send_verdict> {};
template <>
struct type_caster<ima::net::service_kind> : word_caster<ima::net::service_kind> {};
template <>
struct type_caster<ima::tls::peer_role> : word_caster<ima::tls::peer_role> {};
template <>
struct type_caster<ima::tls::step::verdict> : word_caster<ima::tls::step::verdict> {};

// The reasons of delivery have their words in the library.
template <>
struct type_caster<ima::delivery::reason> {
  PYBIND11_TYPE_CASTER(ima::delivery::reason, const_name("str"));

  bool load(handle from, bool) {
    if (!isinstance<str>(from)) return false;
    const auto word = from.cast<std::string>();
    const auto known = ima::delivery::reason_from(word);
    if (!known) throw value_error("not a reason word: " + word);
    value = *known;
    return true;
  }
  static handle cast(ima::delivery::reason why, return_value_policy, handle) {
    return pybind11::cast(to_string(why)).release();
  }
};

}  // namespace pybind11::detail
