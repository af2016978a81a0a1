#pragma once

#include "tls/handles.hpp"

#include <ima/tls/identity.hpp>

#include <string>

namespace ima::tls {

/// What `certificate` says (docs/identity.md section 2).
certificate_facts facts_of(const X509* certificate, common_name policy);

/// The queue of OpenSSL's errors as one line; empties it.
std::string openssl_errors();

}  // namespace ima::tls
