#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Certificates of every kind, made in memory: also those that no authority would issue and the
// openssl program refuses to write. For what an operator would make see authority.hpp.

namespace ima::test {

using key = std::shared_ptr<EVP_PKEY>;

/// The moment at which these certificates are looked at.
inline constexpr std::chrono::sys_seconds noon{
    std::chrono::sys_days{std::chrono::year{2026} / 6 / 1} + std::chrono::hours(12)};

/// "P-256", "P-192", "ED25519", "RSA-1024". Kept: keys are slow to make and nobody minds.
inline key key_of(const std::string& kind, int number = 0) {
  static std::map<std::pair<std::string, int>, key> made;
  key& k = made[{kind, number}];
  if (k) return k;
  EVP_PKEY* fresh = nullptr;
  if (kind.starts_with("RSA-"))
    fresh = EVP_RSA_gen(static_cast<unsigned int>(std::stoul(kind.substr(4))));
  else if (kind.starts_with("P-"))
    fresh = EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", kind.c_str());
  else
    fresh = EVP_PKEY_Q_keygen(nullptr, nullptr, kind.c_str());
  if (fresh == nullptr) throw std::runtime_error("no key of kind " + kind);
  k.reset(fresh, EVP_PKEY_free);
  return k;
}

/// One attribute of a subject; the type is V_ASN1_UTF8STRING or another string of ASN.1, and the
/// value is written as it is.
struct name_part {
  std::string value;
  int type = V_ASN1_UTF8STRING;
  const char* field = "CN";
};

/// An extension in its octets.
struct raw_extension {
  std::string oid;
  std::string der;
  bool critical = false;
};

struct plan {
  std::vector<name_part> subject{{"x"}};
  std::vector<std::string> extensions{};  ///< openssl's words: "basicConstraints=critical,CA:TRUE"
  std::vector<raw_extension> raw{};
  std::chrono::seconds from = -std::chrono::hours(24 * 30);  ///< Before and behind noon.
  std::chrono::seconds to = std::chrono::hours(24 * 30);
  std::string key_kind = "P-256";
  int key_number = 0;
  const char* digest = "SHA256";
  long version = X509_VERSION_3;
};

/// A certificate with its key.
struct certified {
  std::shared_ptr<X509> certificate;
  key own;
};

namespace detail {

inline void set_name(X509_NAME* name, const std::vector<name_part>& parts) {
  for (const name_part& p : parts)
    X509_NAME_add_entry_by_txt(name, p.field, p.type,
                               reinterpret_cast<const unsigned char*>(p.value.data()),
                               static_cast<int>(p.value.size()), -1, 0);
}

inline void add_words(X509* certificate, X509* issuer, const std::string& words) {
  X509V3_CTX with;
  X509V3_set_ctx(&with, issuer, certificate, nullptr, nullptr, 0);
  const auto equals = words.find('=');
  X509_EXTENSION* const made = X509V3_EXT_nconf(nullptr, &with, words.substr(0, equals).c_str(),
                                                words.substr(equals + 1).c_str());
  if (made == nullptr) throw std::runtime_error("no extension " + words);
  X509_add_ext(certificate, made, -1);
  X509_EXTENSION_free(made);
}

inline void add_raw(X509* certificate, const raw_extension& raw) {
  const std::unique_ptr<ASN1_OBJECT, decltype(&ASN1_OBJECT_free)> oid(
      OBJ_txt2obj(raw.oid.c_str(), 1), ASN1_OBJECT_free);
  const std::unique_ptr<ASN1_OCTET_STRING, decltype(&ASN1_OCTET_STRING_free)> der(
      ASN1_OCTET_STRING_new(), ASN1_OCTET_STRING_free);
  ASN1_OCTET_STRING_set(der.get(), reinterpret_cast<const unsigned char*>(raw.der.data()),
                        static_cast<int>(raw.der.size()));
  X509_EXTENSION* const made =
      X509_EXTENSION_create_by_OBJ(nullptr, oid.get(), raw.critical ? 1 : 0, der.get());
  X509_add_ext(certificate, made, -1);
  X509_EXTENSION_free(made);
}

inline void set_time(ASN1_TIME* time, std::chrono::seconds offset) {
  ASN1_TIME_set(time, (noon + offset).time_since_epoch().count());
}

}  // namespace detail

/// Makes what `p` says, signed by `issuer`, or by itself where that is null.
inline certified make(const plan& p, const certified* issuer = nullptr) {
  static std::uint64_t serial = 0;
  certified made{{X509_new(), X509_free}, key_of(p.key_kind, p.key_number)};
  X509* const c = made.certificate.get();
  X509* const by = issuer == nullptr ? c : issuer->certificate.get();
  X509_set_version(c, p.version);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(c), ++serial);
  detail::set_name(X509_get_subject_name(c), p.subject);
  X509_set_issuer_name(c, X509_get_subject_name(by));
  detail::set_time(X509_getm_notBefore(c), p.from);
  detail::set_time(X509_getm_notAfter(c), p.to);
  X509_set_pubkey(c, made.own.get());
  for (const std::string& words : p.extensions) detail::add_words(c, by, words);
  for (const raw_extension& raw : p.raw) detail::add_raw(c, raw);
  EVP_PKEY* const signer = issuer == nullptr ? made.own.get() : issuer->own.get();
  const bool hashes = EVP_PKEY_is_a(signer, "ED25519") == 0;
  if (X509_sign(c, signer, hashes ? EVP_get_digestbyname(p.digest) : nullptr) == 0)
    throw std::runtime_error("cannot sign");
  return made;
}

/// A list of what `issuer` has revoked; its times are before and behind noon.
inline std::shared_ptr<X509_CRL> make_list(const certified& issuer,
                                           const std::vector<certified>& revoked,
                                           std::chrono::hours from = std::chrono::hours(-24),
                                           std::chrono::hours to = std::chrono::hours(24)) {
  std::shared_ptr<X509_CRL> list(X509_CRL_new(), X509_CRL_free);
  const std::unique_ptr<ASN1_TIME, decltype(&ASN1_TIME_free)> time(ASN1_TIME_new(), ASN1_TIME_free);
  X509_CRL_set_version(list.get(), X509_CRL_VERSION_2);
  X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(issuer.certificate.get()));
  detail::set_time(time.get(), from);
  X509_CRL_set1_lastUpdate(list.get(), time.get());
  for (const certified& c : revoked) {
    X509_REVOKED* const entry = X509_REVOKED_new();
    X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(c.certificate.get()));
    X509_REVOKED_set_revocationDate(entry, time.get());
    X509_CRL_add0_revoked(list.get(), entry);
  }
  detail::set_time(time.get(), to);
  X509_CRL_set1_nextUpdate(list.get(), time.get());
  X509_CRL_sort(list.get());
  if (X509_CRL_sign(list.get(), issuer.own.get(), EVP_sha256()) == 0)
    throw std::runtime_error("cannot sign a list");
  return list;
}

/// What `write` puts into a BIO.
template <class Write>
std::string written(Write write) {
  const std::unique_ptr<BIO, decltype(&BIO_free_all)> out(BIO_new(BIO_s_mem()), BIO_free_all);
  write(out.get());
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

inline std::string pem_of(const certified& c) {
  return written([&](BIO* out) { PEM_write_bio_X509(out, c.certificate.get()); });
}
inline std::string pem_of(const std::vector<certified>& chain) {
  std::string text;
  for (const certified& c : chain) text += pem_of(c);
  return text;
}
inline std::string key_pem_of(const certified& c) {
  return written([&](BIO* out) {
    PEM_write_bio_PrivateKey(out, c.own.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
}

/// The value of a subjectAltName extension whose dNSNames are these octets, whatever they are.
inline std::string dns_names(const std::vector<std::string>& names) {
  std::string inside;
  for (const std::string& n : names) {
    inside += '\x82';
    inside += static_cast<char>(n.size());  // up to 127 octets each
    inside += n;
  }
  return "\x30" + std::string(1, static_cast<char>(inside.size())) + inside;
}

}  // namespace ima::test
