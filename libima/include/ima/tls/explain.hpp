#pragma once

#include <ima/error.hpp>
#include <ima/export.hpp>
#include <ima/tls/context.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ima::tls {

/// The role of the side whose chain is looked at.
enum class peer_role : std::uint8_t { client, server };

/// One rule of docs/identity.md, looked at.
struct step {
  /// The three ways a rule can come out.
  enum class verdict : std::uint8_t {
    good,
    bad,
    skipped,  ///< The rule does not apply: a store that is not used, lists that are not set.
  };
  std::string_view rule;         ///< "certificate-expired", "identity"; always a literal.
  verdict what = verdict::good;  ///< Which of them.
  std::string text;  ///< A sentence for people. It may quote the certificate: print it escaped.
};

/// "good", "bad" or "skipped".
IMA_API std::string_view to_string(step::verdict v) noexcept;

/// How a chain was judged. A chain may be refused by one store and accepted by the other, so a bad
/// step alone decides nothing.
struct explanation {
  certificate_facts certificate;  ///< The leaf.
  std::vector<step> steps;        ///< Those of the leaf, of each store, and of the names.
  /// What a handshake, or the message's check, would report; none if the chain proves the domain.
  std::optional<error> refused;
};

/// Says what a connection made with `with` would decide about a peer that shows `chain` (PEM, leaf
/// first) and wants to prove `domain` (a hostpart in its wire form), and why. It is the handshake's
/// own verification (docs/identity.md section 3), run on a file. Thread-safe. Errors:
/// fault::caller, rules `certificate-file` (no certificate in the text, or one that cannot be read)
/// and `hostpart`.
IMA_API result<explanation> explain(const context& with, std::string_view chain,
                                    std::string_view domain, peer_role peer);

}  // namespace ima::tls
