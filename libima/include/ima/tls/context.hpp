#pragma once

#include <ima/error.hpp>
#include <ima/export.hpp>
#include <ima/tls/identity.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ima::tls {

/// Which protocol runs inside; decides the ALPN word and what is asked of clients.
enum class protocol : std::uint8_t {
  imdp,  ///< Both sides must prove themselves.
  imrp,  ///< A client's certificate is asked for and judged later, by its key or its issuer.
};

/// A certificate chain (leaf first, PEM) with its private key (PEM).
struct credential {
  std::string chain_file;  ///< Path; the leaf first.
  std::string key_file;    ///< Path; without a passphrase.
};

/// What a context is made of; nothing of it is needed afterwards.
struct context_options {
  protocol inside = protocol::imdp;     ///< Decides the ALPN word and what is asked of clients.
  std::vector<credential> credentials;  ///< One for each domain or set of domains.
  bool system_store = true;             ///< Trust the system's certificate authorities.
  std::string ca_file;                  ///< The administrator's own authorities (PEM), or empty.
  std::string crl;  ///< Revocation lists for leaves: a file or a directory of them, or empty.
  common_name names = common_name::fallback;    ///< Whether a commonName can prove a domain.
  std::optional<std::chrono::sys_seconds> now;  ///< The time to verify for; by default the clock's.
};

/// Everything a TLS connection needs that outlives it: our certificates, whom we trust, and the
/// rules of docs/identity.md. Immutable and cheap to copy; safe to use from many threads. To take
/// up changed files make another; connections keep the one they began with.
class IMA_API context {
 public:
  /// Reads the files. Errors: fault::caller, rules `certificate-file`, `key-file`, `ca-file`,
  /// `crl-file`, with the file's name as the place (docs/identity.md section 6); fault::temporary,
  /// rule `tls-handshake`, where there is no memory.
  static result<context> create(const context_options& options);

  /// What the certificate says that proves `domain`, or null if none of ours does. It lives as long
  /// as any copy of this context.
  const certificate_facts* own_certificate(std::string_view domain) const noexcept;

  /// What each of our certificates says, in the order of the options.
  std::vector<certificate_facts> own_certificates() const;

  struct content;
  const content& inside() const noexcept { return *content_; }  ///< For the engine.

 private:
  explicit context(std::shared_ptr<const content> c) : content_(std::move(c)) {}
  std::shared_ptr<const content> content_;
};

}  // namespace ima::tls
