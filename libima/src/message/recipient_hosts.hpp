#pragma once

#include <ima/header.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace ima {

/// The hostparts of a message's recipients, each once, in order of first appearance.
inline std::vector<std::string> recipient_hosts(const header_block& header) {
  std::vector<std::string> hosts;
  for (const address& a : header.recipients())
    if (std::find(hosts.begin(), hosts.end(), a.host()) == hosts.end())
      hosts.emplace_back(a.host());
  return hosts;
}

}  // namespace ima
