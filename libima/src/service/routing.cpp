#include <ima/service/routing.hpp>

#include <fmt/format.h>

#include <utility>

namespace ima::service {

std::vector<std::string> arguments_for(const std::vector<std::string>& command,
                                       const address& recipient) {
  constexpr std::string_view mark = "{address}";
  std::vector<std::string> out = command;
  bool replaced = false;
  for (std::string& argument : out) {
    std::size_t at = argument.find(mark);
    for (; at != std::string::npos; at = argument.find(mark, at + recipient.text().size())) {
      argument.replace(at, mark.size(), recipient.text());
      replaced = true;
    }
  }
  if (replaced) return out;
  const std::string_view guard = recipient.text().starts_with('-') ? "./" : "";
  out.push_back(fmt::format("{}{}", guard, recipient.text()));
  return out;
}

void routing_table::add_host(std::string_view hostpart) { hosts_.emplace(hostpart); }

result<void> routing_table::add(const address& recipient, route what) {
  const auto bad = [&](std::string_view why) {
    return error{fault::caller, "route", std::string(recipient.text()), std::string(why)};
  };
  if (what.mailbox.empty() == what.command.empty())
    return bad("an entry names either a mailbox or a command");
  if (!routes_.emplace(recipient.key(), std::move(what)).second)
    return bad("the address has an entry already");
  return {};
}

bool routing_table::is_ours(std::string_view hostpart) const {
  return hosts_.contains(std::string(hostpart));
}

const route* routing_table::find(const address& recipient) const {
  const auto at = routes_.find(recipient.key());
  return at == routes_.end() ? nullptr : &at->second;
}

}  // namespace ima::service
