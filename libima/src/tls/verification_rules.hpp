#pragma once

#include <array>
#include <string_view>

// What OpenSSL finds, in the words of docs/identity.md section 3.

namespace ima::tls {

struct chain_rule {
  std::string_view word;
  std::string_view when_good;  // the sentence of a step that found nothing
};

/// The rules that a verification against a store looks at, in the order of the page.
inline constexpr std::array<chain_rule, 11> chain_rules{{
    {"certificate-issuer", "the chain ends at an authority of this store"},
    {"certificate-signature", "every signature in the chain is its issuer's"},
    {"certificate-expired", "no certificate of the chain has expired"},
    {"certificate-not-yet-valid", "every certificate of the chain is valid already"},
    {"certificate-purpose", "the chain may be used for this"},
    {"certificate-weak", "keys and signatures have at least 112 bits of security"},
    {"certificate-constraint", "no name is outside what an authority may certify"},
    {"certificate-extension", "no critical extension is unknown, and none is broken"},
    {"certificate-revoked", "the certificate is not on its issuer's revocation list"},
    {"certificate-revocation", "its issuer's revocation list is there and current"},
    {"certificate-chain", "nothing else is wrong with the chain"},
}};

/// The rule that an X509_V_ERR_… code is about.
std::string_view rule_of(int code) noexcept;

/// The code by which OpenSSL chooses the alert that tells the peer.
int code_for_alert(std::string_view rule) noexcept;

}  // namespace ima::tls
