#pragma once

#include "tls/handles.hpp"

#include <ima/error.hpp>

#include <chrono>
#include <optional>

namespace ima::tls {

/// The role of the side whose chain is looked at.
enum class peer_role { client, server };

/// Whom we trust. The two stores are never merged: each has its own rule about purposes
/// (docs/identity.md section 3).
struct trust {
  store_ptr system;         // none where the system's authorities are not trusted
  store_ptr administrator;  // none where there are no own ones
  bool check_revocation = false;
  std::optional<std::chrono::sys_seconds> now;
};

/// Verifies `leaf` with the certificates that came with it. Errors: fault::peer, the
/// `certificate-…` rules of docs/identity.md.
result<void> verify_chain(const trust& whom, X509* leaf, STACK_OF(X509) * others, peer_role role);

}  // namespace ima::tls
