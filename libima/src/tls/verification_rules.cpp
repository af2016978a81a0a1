#include "tls/verification_rules.hpp"

#include <openssl/x509_vfy.h>

#include <algorithm>
#include <array>

namespace ima::tls {
namespace {

struct code_row {
  int code;
  std::string_view rule;
};

constexpr std::array<code_row, 39> codes{{
    {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "certificate-issuer"},
    {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, "certificate-issuer"},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, "certificate-issuer"},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "certificate-issuer"},
    {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, "certificate-issuer"},
    {X509_V_ERR_INVALID_CA, "certificate-issuer"},
    {X509_V_ERR_INVALID_NON_CA, "certificate-issuer"},
    {X509_V_ERR_CERT_UNTRUSTED, "certificate-issuer"},
    {X509_V_ERR_CERT_REJECTED, "certificate-issuer"},
    {X509_V_ERR_KEYUSAGE_NO_CERTSIGN, "certificate-issuer"},
    {X509_V_ERR_CERT_SIGNATURE_FAILURE, "certificate-signature"},
    {X509_V_ERR_UNABLE_TO_DECRYPT_CERT_SIGNATURE, "certificate-signature"},
    {X509_V_ERR_UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY, "certificate-signature"},
    {X509_V_ERR_SIGNATURE_ALGORITHM_MISMATCH, "certificate-signature"},
    {X509_V_ERR_CERT_HAS_EXPIRED, "certificate-expired"},
    {X509_V_ERR_CERT_NOT_YET_VALID, "certificate-not-yet-valid"},
    {X509_V_ERR_INVALID_PURPOSE, "certificate-purpose"},
    {X509_V_ERR_EE_KEY_TOO_SMALL, "certificate-weak"},
    {X509_V_ERR_CA_KEY_TOO_SMALL, "certificate-weak"},
    {X509_V_ERR_CA_MD_TOO_WEAK, "certificate-weak"},
    {X509_V_ERR_PERMITTED_VIOLATION, "certificate-constraint"},
    {X509_V_ERR_EXCLUDED_VIOLATION, "certificate-constraint"},
    {X509_V_ERR_SUBTREE_MINMAX, "certificate-constraint"},
    {X509_V_ERR_UNSUPPORTED_CONSTRAINT_TYPE, "certificate-constraint"},
    {X509_V_ERR_UNSUPPORTED_CONSTRAINT_SYNTAX, "certificate-constraint"},
    {X509_V_ERR_UNSUPPORTED_NAME_SYNTAX, "certificate-constraint"},
    {X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION, "certificate-extension"},
    {X509_V_ERR_CERT_REVOKED, "certificate-revoked"},
    {X509_V_ERR_UNABLE_TO_GET_CRL, "certificate-revocation"},
    {X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER, "certificate-revocation"},
    {X509_V_ERR_UNABLE_TO_DECRYPT_CRL_SIGNATURE, "certificate-revocation"},
    {X509_V_ERR_CRL_SIGNATURE_FAILURE, "certificate-revocation"},
    {X509_V_ERR_CRL_NOT_YET_VALID, "certificate-revocation"},
    {X509_V_ERR_CRL_HAS_EXPIRED, "certificate-revocation"},
    {X509_V_ERR_ERROR_IN_CRL_LAST_UPDATE_FIELD, "certificate-revocation"},
    {X509_V_ERR_ERROR_IN_CRL_NEXT_UPDATE_FIELD, "certificate-revocation"},
    {X509_V_ERR_KEYUSAGE_NO_CRL_SIGN, "certificate-revocation"},
    {X509_V_ERR_DIFFERENT_CRL_SCOPE, "certificate-revocation"},
    {X509_V_ERR_UNHANDLED_CRITICAL_CRL_EXTENSION, "certificate-revocation"},
}};

// TLS has few words for a refused certificate; where none fits it is `bad_certificate`.
constexpr std::array<code_row, 5> alerts{{
    {X509_V_ERR_CERT_HAS_EXPIRED, "certificate-expired"},
    {X509_V_ERR_CERT_REVOKED, "certificate-revoked"},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "certificate-issuer"},
    {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "certificate-self-signed"},
    {X509_V_ERR_INVALID_PURPOSE, "certificate-purpose"},
}};

}  // namespace

std::string_view rule_of(int code) noexcept {
  const auto* const row =
      std::find_if(codes.begin(), codes.end(), [=](const code_row& r) { return r.code == code; });
  return row == codes.end() ? "certificate-chain" : row->rule;
}

int code_for_alert(std::string_view rule) noexcept {
  const auto* const row =
      std::find_if(alerts.begin(), alerts.end(), [=](const code_row& r) { return r.rule == rule; });
  return row == alerts.end() ? X509_V_ERR_CERT_UNTRUSTED : row->code;
}

}  // namespace ima::tls
