#include <ima/delivery/types.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace ima::delivery {
namespace {

constexpr std::array<std::pair<reason, std::string_view>, 13> reasons{{
    {reason::syntax, "syntax"},
    {reason::identity, "identity"},
    {reason::size, "size"},
    {reason::recipients, "recipients"},
    {reason::quota, "quota"},
    {reason::policy, "policy"},
    {reason::loop, "loop"},
    {reason::in_progress, "in-progress"},
    {reason::lapsed, "lapsed"},
    {reason::busy, "busy"},
    {reason::storage, "storage"},
    {reason::shutdown, "shutdown"},
    {reason::internal, "internal"},
}};

}  // namespace

std::string_view to_string(reason r) noexcept {
  for (const auto& [value, word] : reasons)
    if (value == r) return word;
  return "internal";
}

std::optional<reason> reason_from(std::string_view word) noexcept {
  for (const auto& [value, name] : reasons)
    if (name == word) return value;
  return std::nullopt;
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
