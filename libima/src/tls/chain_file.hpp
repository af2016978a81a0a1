#pragma once

#include "tls/handles.hpp"

#include <ima/error.hpp>

#include <string_view>

namespace ima::tls {

/// A leaf and the certificates that come with it.
struct certificate_chain {
  x509_ptr leaf;
  chain_ptr others;
};

/// Reads the certificates of a PEM text, leaf first; other blocks (a key) are passed over. Error:
/// fault::caller, rule `certificate-file`.
result<certificate_chain> read_chain(std::string_view pem);

}  // namespace ima::tls
