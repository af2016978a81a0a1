#include "support/try.hpp"

#include <ima/service/routing.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <utility>

namespace ima::service {
namespace {

constexpr std::size_t most_addresses = 10'000;

error wrong(std::string place, std::string why) {
  return {fault::caller, "route", std::move(place), std::move(why)};
}

// "bob+lists@b.example" -> "bob@b.example"
std::string without_detail(const std::string& key) {
  const std::size_t plus = key.find('+');
  const std::size_t at = key.find('@');
  if (plus == 0 || plus == std::string::npos || plus > at) return {};
  return key.substr(0, plus) + key.substr(at);
}

}  // namespace

std::vector<std::string> arguments_for(const std::vector<std::string>& command,
                                       const address& recipient) {
  constexpr std::string_view mark = "{address}";
  const std::string_view guard = recipient.text().starts_with('-') ? "./" : "";
  std::vector<std::string> out = command;
  bool replaced = false;
  for (std::string& argument : out) {
    if (argument.starts_with(mark)) argument.insert(0, guard);
    std::size_t at = argument.find(mark);
    for (; at != std::string::npos; at = argument.find(mark, at + recipient.text().size())) {
      argument.replace(at, mark.size(), recipient.text());
      replaced = true;
    }
  }
  if (!replaced) out.push_back(fmt::format("{}{}", guard, recipient.text()));
  return out;
}

void routing_table::add_host(std::string_view hostpart) { hosts_.emplace(hostpart); }

result<void> routing_table::put(std::string key, std::string place, route what) {
  const int says = (what.mailbox.empty() ? 0 : 1) + (what.command.empty() ? 0 : 1) +
                   (what.alias.empty() ? 0 : 1);
  if (says != 1)
    return wrong(std::move(place), "an entry names a mailbox, a command or an alias, one of them");
  if (!routes_.emplace(std::move(key), std::move(what)).second)
    return wrong(std::move(place), "the address has an entry already");
  return {};
}

result<void> routing_table::add(const address& recipient, route what) {
  return put(recipient.key(), std::string(recipient.text()), std::move(what));
}

result<void> routing_table::add_catch_all(std::string_view hostpart, route what) {
  const std::string key = fmt::format("@{}", hostpart);
  return put(key, key, std::move(what));
}

bool routing_table::is_ours(std::string_view hostpart) const {
  return hosts_.contains(std::string(hostpart));
}

result<std::optional<route>> routing_table::look_up(const std::string& key) const {
  if (const auto at = routes_.find(key); at != routes_.end()) return std::optional(at->second);
  if (source_) return source_->find(key);
  return std::optional<route>();
}

result<std::optional<route>> routing_table::find(const address& recipient) const {
  const std::string key = recipient.key();
  for (const std::string& each : {key, without_detail(key), key.substr(key.find('@'))}) {
    if (each.empty()) continue;
    IMA_TRY(found, look_up(each));
    if (found) return std::move(found);
  }
  return std::optional<route>();
}

result<void> routing_table::check() const {
  for (const auto& [key, what] : routes_)
    for (const address& member : what.alias) {
      IMA_TRY(found, find(member));
      if (!found && is_ours(member.host()))
        return wrong(key, fmt::format("the alias names {}, which has no entry", member.text()));
    }
  return {};
}

bool routing_table::leads_elsewhere() const {
  return std::any_of(routes_.begin(), routes_.end(), [&](const auto& entry) {
    return std::any_of(entry.second.alias.begin(), entry.second.alias.end(),
                       [&](const address& a) { return !is_ours(a.host()); });
  });
}

result<resolution> resolve(const routing_table& routes, const address& recipient) {
  resolution out;
  std::unordered_set<std::string> seen{recipient.key()};
  std::deque<address> open{recipient};
  for (; !open.empty(); open.pop_front()) {
    const address& now = open.front();
    const bool first = seen.size() == 1;
    IMA_TRY(found, routes.find(now));
    if (found && found->alias.empty()) {
      out.here.push_back({now, *std::move(found)});
    } else if (found) {
      out.alias = true;
      for (const address& member : found->alias)
        if (seen.insert(member.key()).second) open.push_back(member);
    } else if (!first && !routes.is_ours(now.host())) {
      out.elsewhere.push_back(now);
    } else if (!first) {
      out.nonexistent.push_back(now);
    }
    if (seen.size() > most_addresses)
      return error{fault::temporary, "route", std::string(recipient.text()),
                   fmt::format("the alias stands for more than {} addresses", most_addresses)};
  }
  out.known = !out.here.empty() || !out.elsewhere.empty();
  return out;
}

}  // namespace ima::service
