#include "tls/facts.hpp"

#include "support/ascii.hpp"
#include "support/try.hpp"
#include "tls/chain_file.hpp"

#include <ima/address.hpp>
#include <ima/date.hpp>

#include <fmt/format.h>
#include <openssl/err.h>

#include <ctime>
#include <system_error>
#include <utility>

namespace ima::tls {
namespace {

constexpr std::size_t max_description = 200;

bool is_wildcard(std::string_view name) { return name.starts_with("*."); }

// Adds a name if it can prove anything, or the reason why it cannot.
void add_name(certificate_facts& facts, std::string_view kind, std::string_view text,
              std::string_view objection) {
  const std::string name = lower_ascii(text);
  const std::string_view host = std::string_view(name).substr(is_wildcard(name) ? 2 : 0);
  const auto ignore = [&](std::string_view why) {
    facts.ignored.push_back(fmt::format("{} '{}' {}", kind, printable(text), why));
  };
  if (!check_hostpart(host)) return ignore("is no DNS name of A-labels");
  if (is_wildcard(name) && host.find('.') == std::string_view::npos)
    return ignore("is a wildcard over a whole top-level domain");
  if (!objection.empty()) return ignore(objection);
  facts.names.push_back(name);
}

void add_alternative_names(certificate_facts& facts, const X509* certificate) {
  const names_ptr names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  if (!names) facts.ignored.emplace_back("the subjectAltName extension cannot be read");
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_DNS) add_name(facts, "dNSName", text_of(name->d.dNSName), "");
  }
}

// OpenSSL holds a commonName against the name constraints of an authority only where it looks like
// a DNS name to it: two labels, no wildcard. Any other would slip by them.
std::string_view unconstrained(std::string_view name) {
  if (is_wildcard(name)) return "is a wildcard, which only a dNSName may be";
  return name.find('.') == std::string_view::npos ? "has one label, which only a dNSName may have"
                                                  : "";
}

void add_common_name(certificate_facts& facts, const X509* certificate) {
  const X509_NAME* const subject = X509_get_subject_name(certificate);
  const int first = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (first < 0) return;
  if (X509_NAME_get_index_by_NID(subject, NID_commonName, first) >= 0) {
    facts.ignored.emplace_back("there is more than one commonName");
    return;
  }
  const ASN1_STRING* const value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, first));
  unsigned char* utf8 = nullptr;
  const int length = ASN1_STRING_to_UTF8(&utf8, value);
  if (length < 0) {
    facts.ignored.emplace_back("the commonName cannot be read");
    return;
  }
  const std::string_view name(reinterpret_cast<const char*>(utf8),
                              static_cast<std::size_t>(length));
  add_name(facts, "commonName", name, unconstrained(name));
  OPENSSL_free(utf8);
}

void add_names(certificate_facts& facts, const X509* certificate, common_name policy) {
  // The commonName counts only where there is no subjectAltName extension at all: otherwise an
  // authority whose name constraints bind dNSNames could be bypassed through it.
  if (X509_get_ext_by_NID(certificate, NID_subject_alt_name, -1) >= 0)
    add_alternative_names(facts, certificate);
  else if (policy == common_name::fallback)
    add_common_name(facts, certificate);
  else
    facts.ignored.emplace_back("commonNames are switched off and there is no subjectAltName");
}

digest key_digest(const X509* certificate) {
  unsigned char* der = nullptr;
  const int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
  if (length < 0) return {};
  const digest made =
      digest::of(octets(reinterpret_cast<const char*>(der), static_cast<std::size_t>(length)));
  OPENSSL_free(der);
  return made;
}

}  // namespace

std::string_view text_of(const ASN1_STRING* s) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(s)),
          static_cast<std::size_t>(ASN1_STRING_length(s))};
}

std::chrono::sys_seconds moment(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return std::chrono::sys_seconds(std::chrono::seconds(timegm(&parts)));
}

std::string description(const X509* certificate) {
  const bio_ptr out(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(out.get(), X509_get_subject_name(certificate), 0, XN_FLAG_ONELINE);
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  const std::string_view subject(text, static_cast<std::size_t>(size));
  return fmt::format("{}, valid from {} to {}", subject.substr(0, max_description),
                     timestamp{moment(X509_get0_notBefore(certificate)), {}}.text(),
                     timestamp{moment(X509_get0_notAfter(certificate)), {}}.text());
}

certificate_facts facts_of(const X509* certificate, common_name policy) {
  certificate_facts facts;
  add_names(facts, certificate, policy);
  digest::value_type sum{};
  unsigned int length = 0;
  if (X509_digest(certificate, EVP_sha256(), sum.data(), &length) == 1)
    facts.fingerprint = digest(sum);
  facts.key = key_digest(certificate);
  facts.not_before = moment(X509_get0_notBefore(certificate));
  facts.not_after = moment(X509_get0_notAfter(certificate));
  ERR_clear_error();
  return facts;
}

std::string openssl_errors() {
  std::string out;
  while (const unsigned long code = ERR_get_error()) {
    if (ERR_SYSTEM_ERROR(code)) {  // what comes behind it says the same in other words
      ERR_clear_error();
      return std::generic_category().message(ERR_GET_REASON(code));
    }
    const char* const reason = ERR_reason_error_string(code);
    out += (out.empty() ? "" : "; ") + std::string(reason != nullptr ? reason : "unknown error");
  }
  return out;
}

result<certificate_facts> read_certificate(std::string_view pem, common_name policy) {
  IMA_TRY(chain, read_chain(pem));
  return facts_of(chain.leaf.get(), policy);
}

}  // namespace ima::tls
