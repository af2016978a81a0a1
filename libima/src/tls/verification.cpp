#include "tls/verification.hpp"

#include <openssl/err.h>

#include <array>
#include <ctime>
#include <string>
#include <utility>

namespace ima::tls {
namespace {

struct rule_row {
  int code;
  std::string_view rule;
};
constexpr std::array<rule_row, 17> rules{{
    {X509_V_ERR_CERT_HAS_EXPIRED, "certificate-expired"},
    {X509_V_ERR_CERT_NOT_YET_VALID, "certificate-not-yet-valid"},
    {X509_V_ERR_CERT_REVOKED, "certificate-revoked"},
    {X509_V_ERR_UNABLE_TO_GET_CRL, "certificate-revocation"},
    {X509_V_ERR_CRL_HAS_EXPIRED, "certificate-revocation"},
    {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "certificate-self-signed"},
    {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, "certificate-issuer"},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, "certificate-issuer"},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "certificate-issuer"},
    {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, "certificate-issuer"},
    {X509_V_ERR_INVALID_PURPOSE, "certificate-purpose"},
    {X509_V_ERR_CERT_UNTRUSTED, "certificate-purpose"},
    {X509_V_ERR_EE_KEY_TOO_SMALL, "certificate-weak"},
    {X509_V_ERR_CA_KEY_TOO_SMALL, "certificate-weak"},
    {X509_V_ERR_CA_MD_TOO_WEAK, "certificate-weak"},
    {X509_V_ERR_PERMITTED_VIOLATION, "certificate-constraint"},
    {X509_V_ERR_EXCLUDED_VIOLATION, "certificate-constraint"},
}};

std::string_view rule_for(int code) {
  for (const rule_row& row : rules)
    if (row.code == code) return row.rule;
  return "certificate-chain";
}

error refused(std::string_view rule, std::string text) {
  return {fault::peer, rule, "", std::move(text)};
}

// Security level 2 of OpenSSL: at least 112 bits, so RSA from 2048 and no SHA-1 signatures.
constexpr int security_level = 2;

void set_parameters(X509_STORE_CTX* check, const trust& whom, int purpose) {
  X509_VERIFY_PARAM* const param = X509_STORE_CTX_get0_param(check);
  X509_VERIFY_PARAM_set_purpose(param, purpose);
  X509_VERIFY_PARAM_set_auth_level(param, security_level);
  if (whom.check_revocation) X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_CRL_CHECK);
  if (whom.now) X509_VERIFY_PARAM_set_time(param, whom.now->time_since_epoch().count());
}

result<void> verify_against(X509_STORE* store, const trust& whom, X509* leaf,
                            STACK_OF(X509) * others, int purpose) {
  const store_context_ptr check(X509_STORE_CTX_new());
  if (!check || X509_STORE_CTX_init(check.get(), store, leaf, others) != 1)
    return error{fault::temporary, "certificate-chain", "", "no memory to verify a certificate"};
  set_parameters(check.get(), whom, purpose);
  const bool good = X509_verify_cert(check.get()) == 1;
  const int code = X509_STORE_CTX_get_error(check.get());
  const int depth = X509_STORE_CTX_get_error_depth(check.get());
  ERR_clear_error();
  if (good) return {};
  return refused(rule_for(code), std::string(X509_verify_cert_error_string(code)) + " (depth " +
                                     std::to_string(depth) + " of the chain)");
}

bool has_purpose(X509* leaf, std::uint32_t usage) {
  const std::uint32_t all = X509_get_extended_key_usage(leaf);
  return all != UINT32_MAX && (all & usage) != 0;  // UINT32_MAX: no such extension
}

// A public authority says what a certificate is for; serverAuth is what proves a domain.
result<void> verify_public(const trust& whom, X509* leaf, STACK_OF(X509) * others) {
  if (!whom.system) return refused("certificate-issuer", "the system's authorities are not used");
  if (auto good = verify_against(whom.system.get(), whom, leaf, others, X509_PURPOSE_SSL_SERVER);
      !good)
    return good;
  if (has_purpose(leaf, XKU_SSL_SERVER)) return {};
  return refused("certificate-purpose", "the certificate is not marked for serverAuth");
}

// The administrator's own authority may leave the purpose open, or certify a sender as a client.
// The second purpose is tried only where the first was what failed, so that it never hides the
// reason of another failure.
result<void> verify_own(const trust& whom, X509* leaf, STACK_OF(X509) * others, peer_role role) {
  if (!whom.administrator) return refused("certificate-issuer", "no own authorities are set");
  auto good = verify_against(whom.administrator.get(), whom, leaf, others, X509_PURPOSE_SSL_SERVER);
  if (good || role == peer_role::server || good.error().rule != "certificate-purpose") return good;
  return verify_against(whom.administrator.get(), whom, leaf, others, X509_PURPOSE_SSL_CLIENT);
}

}  // namespace

result<void> verify_chain(const trust& whom, X509* leaf, STACK_OF(X509) * others, peer_role role) {
  if (X509_check_ca(leaf) == 1)
    return refused("certificate-authority", "the leaf is itself an authority (CA:TRUE)");
  auto by_system = verify_public(whom, leaf, others);
  if (by_system) return {};
  auto by_own = verify_own(whom, leaf, others, role);
  if (by_own) return {};
  return whom.administrator ? by_own : by_system;
}

}  // namespace ima::tls
