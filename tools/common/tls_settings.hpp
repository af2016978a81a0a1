#pragma once

#include "config.hpp"

#include <ima/tls/context.hpp>

namespace ima::tools {

/// Reads a `[tls]` table into `options`:
///
///     [tls]
///     system-store = true          # trust the system's certificate authorities
///     ca-file = "ca.pem"           # and the administrator's own
///     crl = "revoked"              # revocation lists: a file or a directory of them
///     common-name = "never"        # or "fallback": where there is no subjectAltName
///     [[tls.certificate]]
///     chain = "a.example.pem"
///     key = "a.example.key"
void read_tls(config_table& config, tls::context_options& options);

}  // namespace ima::tools
