#include "support/ascii.hpp"
#include "support/try.hpp"
#include "support/utf8.hpp"

#include <ima/address.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace ima {
namespace {

constexpr std::size_t max_local = 128;
constexpr std::size_t max_host = 253;
constexpr std::size_t max_label = 63;

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

bool good_label(std::string_view label) {
  if (label.empty() || label.size() > max_label) return false;
  if (label.front() == '-' || label.back() == '-') return false;
  return std::all_of(label.begin(), label.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-'; });
}

error bad_host(std::string_view host, std::string_view why) {
  return {fault::peer, "hostpart", "", fmt::format("hostpart '{}' {}", host, why)};
}

result<void> check_local(std::string_view local) {
  const auto bad = [](std::string_view why) {
    return error{fault::peer, "address-local", "", fmt::format("the local part {}", why)};
  };
  if (local.empty()) return bad("is empty");
  if (local.size() > max_local) return bad(fmt::format("is longer than {} octets", max_local));
  if (local.find_first_of(" <>@") != std::string_view::npos)
    return bad("holds a space, '<', '>' or '@'");
  if (utf8::find_forbidden(local) != std::string_view::npos)
    return bad("holds a control character or is not UTF-8");
  return {};
}

}  // namespace

result<void> check_hostpart(std::string_view host) {
  if (host.empty() || host.size() > max_host) return bad_host(host, "is not 1 to 253 octets long");
  std::string_view rest = host;
  std::string_view label;
  for (bool more = true; more;) {
    const std::size_t dot = rest.find('.');
    label = rest.substr(0, dot);
    if (!good_label(label)) return bad_host(host, "has a label that is not a lower-case A-label");
    more = dot != std::string_view::npos;
    if (more) rest.remove_prefix(dot + 1);
  }
  if (std::all_of(label.begin(), label.end(), is_digit))
    return bad_host(host, "ends in a number, like an IP address");
  return {};
}

result<address> address::parse(std::string_view text) {
  const std::size_t at = text.find('@');
  if (at == std::string_view::npos)
    return error{fault::peer, "address-syntax", "", fmt::format("'{}' has no '@'", text)};
  IMA_CHECK(check_local(text.substr(0, at)));
  IMA_CHECK(check_hostpart(text.substr(at + 1)));
  return address(text, at);
}

std::string address::key() const { return lower_ascii(text_); }

bool operator==(const address& a, const address& b) noexcept {
  return std::equal(a.text_.begin(), a.text_.end(), b.text_.begin(), b.text_.end(),
                    [](char x, char y) { return lower_ascii(x) == lower_ascii(y); });
}

result<named_address> named_address::parse(std::string_view text) {
  if (text.empty() || text.back() != '>') {
    IMA_TRY(bare, address::parse(text));
    return named_address{"", std::move(bare)};
  }
  const std::size_t open = text.rfind(" <");
  const auto bad = [](std::string_view why) {
    return error{fault::peer, "display-name", "", std::string(why)};
  };
  if (open == std::string_view::npos || open == 0)
    return bad("an address in '<' and '>' needs a display name before it");
  const std::string_view name = text.substr(0, open);
  if (name.front() == ' ' || name.back() == ' ')
    return bad("a display name neither begins nor ends with a space");
  if (utf8::find_forbidden(name) != std::string_view::npos)
    return bad("the display name holds a control character or is not UTF-8");
  IMA_TRY(addr, address::parse(text.substr(open + 2, text.size() - open - 3)));
  return named_address{std::string(name), std::move(addr)};
}

std::string named_address::text() const {
  if (display_name.empty()) return std::string(addr.text());
  return fmt::format("{} <{}>", display_name, addr.text());
}

}  // namespace ima
