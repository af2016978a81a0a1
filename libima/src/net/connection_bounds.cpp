#include "net/connection_bounds.hpp"

#include <string>

namespace ima::net {

result<void> check_connections(std::size_t all, std::size_t with_one_host) {
  if (all > 0 && with_one_host > 0) return {};
  const std::string which = all == 0 ? "" : " with one host";
  return error{fault::caller, "connections", "",
               "0 connections" + which + ", and at least 1 is needed"};
}

}  // namespace ima::net
