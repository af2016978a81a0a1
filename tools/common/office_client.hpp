#pragma once

#include "config.hpp"

#include <ima/net/retrieval_client.hpp>
#include <ima/tls/context.hpp>

#include <filesystem>
#include <string>

namespace ima::tools {

/// How a user's program reaches and convinces his post office.
struct office_settings {
  net::retrieval_client_options client;
  tls::context_options tls;
  std::string user;
  std::filesystem::path password_file;  ///< Empty: the client certificate is the proof.
};

/// Reads a user's settings, the same for every program of his:
///
///     host = "b.example"
///     user = "bob"
///     password-file = "password"      # or certificate-name = "bob", and a [[tls.certificate]]
///     [hosts]                         # and [dns], [tls]
///
/// Errors as read_config().
result<office_settings> read_office_settings(const std::string& file);

/// Connects, and proves who the user is. Errors: those of retrieval_client, tls::context and
/// read_password_file().
result<net::retrieval_client> open_office(const office_settings& settings);

}  // namespace ima::tools
