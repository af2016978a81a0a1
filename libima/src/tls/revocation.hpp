#pragma once

#include "tls/handles.hpp"

#include <ima/error.hpp>

#include <memory>
#include <string>
#include <vector>

namespace ima::tls {

using crl_ptr = std::unique_ptr<X509_CRL, freed_by<X509_CRL_free>>;

/// Reads revocation lists: of a file (any number in PEM, or one in DER), or of every file of a
/// directory whose name does not begin with a dot. Error: fault::caller, rule `crl-file`, with the
/// file's name as the place; also where there is no list at all.
result<std::vector<crl_ptr>> read_revocation_lists(const std::string& path);

}  // namespace ima::tls
