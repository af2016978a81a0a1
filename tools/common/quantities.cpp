#include "quantities.hpp"

#include <charconv>
#include <limits>
#include <span>
#include <utility>

namespace ima::tools {
namespace {

struct unit {
  std::string_view word;
  std::uint64_t factor;
};

constexpr unit size_units[] = {
    {"", 1}, {" KiB", 1ULL << 10}, {" MiB", 1ULL << 20}, {" GiB", 1ULL << 30}};
constexpr unit time_units[] = {
    {"ms", 1}, {"s", 1000}, {"min", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};

std::optional<std::uint64_t> parse_quantity(std::string_view text, std::span<const unit> units) {
  std::uint64_t number = 0;
  const char* end = text.data() + text.size();
  auto [rest, problem] = std::from_chars(text.data(), end, number);
  if (problem != std::errc()) return std::nullopt;
  const std::string_view word(rest, static_cast<std::size_t>(end - rest));
  constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max();
  for (const unit& u : units) {
    if (u.word != word) continue;
    if (number > most / u.factor) return std::nullopt;
    return number * u.factor;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::uint64_t> parse_octet_count(std::string_view text) {
  return parse_quantity(text, size_units);
}

std::optional<std::uint64_t> parse_count(std::string_view text) {
  return parse_quantity(text, std::span(size_units).first(1));
}

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  auto count = parse_quantity(text, time_units);
  if (!count) return std::nullopt;
  return std::chrono::milliseconds(static_cast<std::int64_t>(*count));
}

}  // namespace ima::tools
