#include <ima/delivery/types.hpp>

#include <algorithm>
#include <array>

namespace ima::delivery {
namespace {

// The table of docs/delivery.md section 6.
struct reason_rule {
  reason value;
  std::string_view word;
  bool rejects;
  bool defers;
};
constexpr std::array<reason_rule, 13> reasons{{
    {reason::syntax, "syntax", true, false},
    {reason::identity, "identity", true, false},
    {reason::size, "size", true, false},
    {reason::recipients, "recipients", true, false},
    {reason::quota, "quota", true, true},
    {reason::policy, "policy", true, true},
    {reason::loop, "loop", true, false},
    {reason::in_progress, "in-progress", false, true},
    {reason::lapsed, "lapsed", false, false},  // answers no header block
    {reason::busy, "busy", false, true},
    {reason::storage, "storage", false, true},
    {reason::shutdown, "shutdown", false, true},
    {reason::internal, "internal", false, true},
}};

}  // namespace

std::string_view to_string(reason r) noexcept {
  for (const reason_rule& each : reasons)
    if (each.value == r) return each.word;
  return "internal";
}

std::optional<reason> reason_from(std::string_view word) noexcept {
  for (const reason_rule& each : reasons)
    if (each.word == word) return each.value;
  return std::nullopt;
}

bool may_refuse(reason why, bool for_good) noexcept {
  for (const reason_rule& each : reasons)
    if (each.value == why) return for_good ? each.rejects : each.defers;
  return false;
}

std::string_view to_string(outcome o) noexcept {
  switch (o) {
    case outcome::ok:
      return "OK";
    case outcome::fail:
      return "FAIL";
    case outcome::defer:
      return "DEFER";
    case outcome::no_recipient:
      return "NORECIPIENT";
  }
  return "DEFER";
}

std::string_view to_string(verdict v) noexcept {
  switch (v) {
    case verdict::ok:
      return "OK";
    case verdict::fail:
      return "FAIL";
    case verdict::partial:
      return "PARTIAL";
    case verdict::defer:
      return "DEFER";
  }
  return "DEFER";
}

}  // namespace ima::delivery
