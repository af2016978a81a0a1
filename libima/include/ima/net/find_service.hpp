#pragma once

#include <ima/error.hpp>
#include <ima/export.hpp>
#include <ima/net/dns.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace ima::net {

/// What a hostpart is asked for.
enum class service_kind : std::uint8_t {
  delivery,   ///< Where it receives mail: `_imdp._tcp`, port 20025.
  retrieval,  ///< Its post office: `_imrp._tcp`, port 20093.
};

/// Where a service of a hostpart is reached (docs/delivery.md section 1), for programs that connect
/// by themselves: network addresses with ports ("192.0.2.1:20025", "[2001:db8::1]:20025"), all of
/// one SRV target before those of the next, in the order in which they are to be tried. Whatever
/// answers there must still prove the hostpart. `hostpart` is in its wire form. Blocks;
/// thread-safe. `interrupted` is asked ten times a second, where it is given, on the calling
/// thread; when it says true the call ends.
///
/// Errors: fault::refused `no-service`, `no-domain`; fault::temporary `dns`; fault::caller
/// `dns-server`; fault::unknown `interrupted`.
IMA_API result<std::vector<std::string>> find_service(
    std::string_view hostpart, service_kind what, const dns_options& options = {},
    const std::function<bool()>& interrupted = {});

}  // namespace ima::net
