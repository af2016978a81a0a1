#pragma once

#include "tls/handles.hpp"

#include <ima/error.hpp>
#include <ima/tls/explain.hpp>

#include <chrono>
#include <optional>
#include <vector>

namespace ima::tls {

/// Whom we trust. The two stores are never merged: each has its own rule about purposes
/// (docs/identity.md section 3).
struct trust {
  store_ptr system;         // none where the system's authorities are not trusted
  store_ptr administrator;  // none where there are no own ones
  bool check_revocation = false;
  common_name names = common_name::fallback;
  std::optional<std::chrono::sys_seconds> now;
};

/// Security level 2 of OpenSSL: at least 112 bits, so RSA from 2048 and no SHA-1 signatures.
inline constexpr int security_level = 2;

/// What became of a chain.
struct verification {
  std::vector<step> steps;
  std::optional<error> refused;  // fault::peer, a `certificate-…` rule; none if it verified
  std::chrono::sys_seconds good_until;  // then: the first end of validity in the chain
};

/// Verifies `leaf` with the certificates that came with it. The one verification there is: for
/// handshakes and for explain().
verification verify_chain(const trust& whom, X509* leaf, STACK_OF(X509) * others, peer_role role);

}  // namespace ima::tls
