#pragma once

#include "tls/handles.hpp"

#include <ima/tls/identity.hpp>

#include <string>

namespace ima::tls {

/// A sentence about a wildcard among the names of `leaf` that covers something which an authority
/// of `chain` may not certify, or nothing. OpenSSL compares the wildcard as if it were a name: for
/// it `*.a.example` lies outside an excluded `m.a.example`, which it would prove all the same.
std::string excluded_reach(STACK_OF(X509) * chain, const certificate_facts& leaf);

}  // namespace ima::tls
