#pragma once

#include "config.hpp"
#include "reload.hpp"

#include <ima/log.hpp>
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

/// The same for a server, which also reads `watch = "30s"`: how often to look whether one of these
/// files has changed; without it only SIGHUP takes them up. Adds the files to `watched`.
void read_server_tls(config_table& config, tls::context_options& options, watched_files& watched);

/// Logs our certificates, one event each: `certificate`, a warning where it has expired or does so
/// within a week.
void log_certificates(const tls::context& context, log_sink& log);

}  // namespace ima::tools
