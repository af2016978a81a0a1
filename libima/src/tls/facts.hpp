#pragma once

#include "tls/handles.hpp"

#include <ima/tls/identity.hpp>

#include <chrono>
#include <string>
#include <string_view>

namespace ima::tls {

/// What `certificate` says (docs/identity.md section 2).
certificate_facts facts_of(const X509* certificate, common_name policy);

/// Subject and validity of `certificate`, for people.
std::string description(const X509* certificate);

/// A time of a certificate; the epoch, which is long over, where it cannot be read.
std::chrono::sys_seconds moment(const ASN1_TIME* time);

/// The octets of a string of a certificate.
std::string_view text_of(const ASN1_STRING* s);

/// The queue of OpenSSL's errors as one line; empties it.
std::string openssl_errors();

}  // namespace ima::tls
