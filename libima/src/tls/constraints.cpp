#include "tls/constraints.hpp"

#include "support/ascii.hpp"
#include "tls/facts.hpp"

#include <ima/tls/identity.hpp>

#include <fmt/format.h>

#include <memory>
#include <vector>

namespace ima::tls {
namespace {

using constraints_ptr = std::unique_ptr<NAME_CONSTRAINTS, freed_by<NAME_CONSTRAINTS_free>>;

// The DNS names that one authority may not certify, lower case, without a dot in front.
void add_excluded(std::vector<std::string>& names, const X509* authority) {
  const constraints_ptr rules(static_cast<NAME_CONSTRAINTS*>(
      X509_get_ext_d2i(authority, NID_name_constraints, nullptr, nullptr)));
  if (!rules) return;  // none; unreadable ones were refused by the verification
  for (int i = 0; i < sk_GENERAL_SUBTREE_num(rules->excludedSubtrees); ++i) {
    const GENERAL_NAME* const base = sk_GENERAL_SUBTREE_value(rules->excludedSubtrees, i)->base;
    if (base->type != GEN_DNS) continue;
    std::string name = lower_ascii(text_of(base->d.dNSName));
    if (name.starts_with('.')) name.erase(0, 1);
    names.push_back(std::move(name));
  }
}

}  // namespace

std::string excluded_reach(STACK_OF(X509) * chain, const certificate_facts& leaf) {
  std::vector<std::string> excluded;
  for (int i = 1; i < sk_X509_num(chain); ++i) add_excluded(excluded, sk_X509_value(chain, i));
  for (const std::string& name : leaf.names) {
    if (!name.starts_with("*.")) continue;
    for (const std::string& out : excluded)
      if (covers(name, out))
        return fmt::format("'{}' reaches into '{}', which an authority may not certify", name, out);
  }
  return {};
}

}  // namespace ima::tls
