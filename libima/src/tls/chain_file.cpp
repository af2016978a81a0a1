#include "tls/chain_file.hpp"

#include "tls/facts.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <climits>
#include <string>

namespace ima::tls {
namespace {

error bad_chain(std::string why) {
  ERR_clear_error();
  return {fault::caller, "certificate-file", "", std::move(why)};
}

}  // namespace

result<certificate_chain> read_chain(std::string_view pem) {
  if (pem.size() > INT_MAX) return bad_chain("is too long for certificates");
  ERR_clear_error();
  const bio_ptr in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  certificate_chain made{x509_ptr(PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr)),
                         chain_ptr(sk_X509_new_null())};
  if (!made.leaf) return bad_chain("holds no certificate: " + openssl_errors());
  while (X509* const next = PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr))
    sk_X509_push(made.others.get(), next);
  if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
    return bad_chain("a certificate behind the first is broken: " + openssl_errors());
  ERR_clear_error();
  return made;
}

}  // namespace ima::tls
