#pragma once

#include <ima/digest.hpp>
#include <ima/error.hpp>
#include <ima/export.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ima::tls {

/// Whether a commonName may prove a domain where a certificate has no subjectAltName extension
/// (docs/identity.md section 2).
enum class common_name : std::uint8_t { fallback, never };

/// What a certificate says, as far as the rules of docs/identity.md look at it.
struct certificate_facts {
  std::vector<std::string> names;  ///< The DNS names it proves, lower case; may begin with "*.".
  std::vector<std::string>
      ignored;         ///< Names that prove nothing, each with the reason, for people.
  digest fingerprint;  ///< SHA-256 of the certificate (DER).
  digest key;          ///< SHA-256 of its subjectPublicKeyInfo (DER).
  std::chrono::sys_seconds not_before{};  ///< It is not valid before; UTC.
  std::chrono::sys_seconds not_after{};   ///< It is not valid after; UTC.
};

/// Whether the certified name `name` (possibly a wildcard, which stands for exactly one left-most
/// label) covers `domain`, a hostpart in its wire form (docs/identity.md section 2).
IMA_API bool covers(std::string_view name, std::string_view domain) noexcept;

/// Whether a certificate proves `domain`. Error: fault::peer, rule `identity`, with the names the
/// certificate has and those that were ignored (docs/identity.md section 2).
IMA_API result<void> proves(const certificate_facts& certificate, std::string_view domain);

/// Reads the first certificate of a PEM text; any others must be readable too. Error:
/// fault::caller, rule `certificate-file`.
IMA_API result<certificate_facts> read_certificate(std::string_view pem,
                                                   common_name policy = common_name::fallback);

}  // namespace ima::tls
