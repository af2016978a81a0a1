#pragma once

#include <ima/body_source.hpp>
#include <ima/delivery/types.hpp>
#include <ima/error.hpp>
#include <ima/export.hpp>
#include <ima/header.hpp>
#include <ima/limits.hpp>
#include <ima/log.hpp>
#include <ima/tls/context.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace ima::net {

struct sender_options {
  /// Where a hostpart is reached ("127.0.0.1:20025"); others are looked up in the DNS.
  std::map<std::string, std::string, std::less<>> hosts;
  limits bounds;
  std::chrono::milliseconds header_round{45'000};  ///< For all hosts to answer the header.
  log_sink* log = nullptr;                         ///< Not owned.
};

/// What became of a message at one host.
struct host_report {
  std::string host;
  bool permanent = false;  ///< With a problem: trying again will not help.
  std::string problem;     ///< Why nothing was delivered here; empty where a verdict came.
  std::vector<delivery::recipient_result> results;
  std::vector<std::string> notes;
};

struct send_report {
  enum class outcome : std::uint8_t {
    delivered,  ///< Every recipient has it.
    refused,    ///< Nothing was sent anywhere; at least one refusal is for good.
    deferred,   ///< Nothing was sent anywhere, or nothing is known; every problem is for now.
    mixed,      ///< It was sent, and not all have it.
  };
  outcome what = outcome::deferred;
  std::vector<host_report> hosts;  ///< In the order in which the message names them.
};

/// Sends a message to all its recipients (docs/delivery.md section 8): every host gets the header
/// first, in parallel; only if all accept does the body go anywhere. Blocks. Our certificate is the
/// one that proves the originator's hostpart. Errors: fault::caller, rules `recipients-missing`,
/// `no-certificate`; problems of hosts are in the report.
IMA_API result<send_report> send_message(const header_block& header, body_source& body,
                                         const tls::context& tls, const sender_options& options);

}  // namespace ima::net
