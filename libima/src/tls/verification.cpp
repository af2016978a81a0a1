#include "tls/verification.hpp"

#include "tls/constraints.hpp"
#include "tls/facts.hpp"
#include "tls/verification_rules.hpp"

#include <fmt/format.h>
#include <openssl/err.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

namespace ima::tls {
namespace {

// A rule that is broken, and how.
struct finding {
  std::string_view rule;
  std::string text;
};
using findings = std::vector<finding>;

// What came of the verification against one store.
struct attempt {
  findings found;  // the first is the one to report
  std::chrono::sys_seconds good_until;

  bool good() const { return found.empty(); }
  bool has(std::string_view rule) const { return !good() && found.front().rule == rule; }
};

// OpenSSL asks after each problem whether to go on. We always do, so that an explanation is whole;
// the verdict is that nothing was found.
int note_problem(int good, X509_STORE_CTX* check) {
  if (good == 1) return 1;
  const int code = X509_STORE_CTX_get_error(check);
  const X509* const about = X509_STORE_CTX_get_current_cert(check);
  static_cast<findings*>(X509_STORE_CTX_get_app_data(check))
      ->push_back({rule_of(code), fmt::format("{} (depth {} of the chain: {})",
                                              X509_verify_cert_error_string(code),
                                              X509_STORE_CTX_get_error_depth(check),
                                              about == nullptr ? "none" : description(about))});
  return 1;
}

void set_parameters(X509_STORE_CTX* check, const trust& whom, int purpose) {
  X509_VERIFY_PARAM* const param = X509_STORE_CTX_get0_param(check);
  X509_VERIFY_PARAM_set_purpose(param, purpose);
  // The same purpose for what a store says of its own authorities (OpenSSL's trust settings).
  X509_VERIFY_PARAM_set_trust(
      param, purpose == X509_PURPOSE_SSL_SERVER ? X509_TRUST_SSL_SERVER : X509_TRUST_SSL_CLIENT);
  X509_VERIFY_PARAM_set_auth_level(param, security_level);
  if (whom.check_revocation) X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_CRL_CHECK);
  if (whom.now) X509_VERIFY_PARAM_set_time(param, whom.now->time_since_epoch().count());
}

bool has_purpose(X509* leaf, std::uint32_t usage, bool must_be_there) {
  const std::uint32_t all = X509_get_extended_key_usage(leaf);
  if (all == UINT32_MAX) return !must_be_there;  // no such extension
  return (all & usage) != 0;
}

std::chrono::sys_seconds first_end(STACK_OF(X509) * chain) {
  auto first = std::chrono::sys_seconds::max();
  for (int i = 0; i < sk_X509_num(chain); ++i)
    first = std::min(first, moment(X509_get0_notAfter(sk_X509_value(chain, i))));
  return first;
}

attempt verify_against(X509_STORE* store, const trust& whom, X509* leaf, STACK_OF(X509) * others,
                       int purpose) {
  attempt made;
  const store_context_ptr check(X509_STORE_CTX_new());
  if (!check || X509_STORE_CTX_init(check.get(), store, leaf, others) != 1) {
    made.found.push_back({"certificate-chain", "no memory to verify a certificate"});
    return made;
  }
  set_parameters(check.get(), whom, purpose);
  X509_STORE_CTX_set_app_data(check.get(), &made.found);
  X509_STORE_CTX_set_verify_cb(check.get(), note_problem);
  const bool finished = X509_verify_cert(check.get()) == 1;
  if (!finished && made.good())
    made.found.push_back({"certificate-chain", "the verification could not be finished"});
  ERR_clear_error();
  STACK_OF(X509)* const chain = X509_STORE_CTX_get0_chain(check.get());
  if (const auto reach = excluded_reach(chain, facts_of(leaf, whom.names)); !reach.empty())
    made.found.push_back({"certificate-constraint", reach});
  made.good_until = first_end(chain);
  return made;
}

// Verifies for the purpose of a server. What OpenSSL takes for it is a little more (the old
// "server gated" usages), so the leaf's own words are read again.
attempt verify_as_server(X509_STORE* store, const trust& whom, X509* leaf, STACK_OF(X509) * others,
                         bool must_be_there) {
  attempt made = verify_against(store, whom, leaf, others, X509_PURPOSE_SSL_SERVER);
  if (!has_purpose(leaf, XKU_SSL_SERVER, must_be_there))
    made.found.push_back({"certificate-purpose", "the certificate is not marked for serverAuth"});
  return made;
}

// The administrator's own authority may leave the purpose open, or certify a sender as a client.
// The second purpose is tried only where the first was what failed, so that it never hides the
// reason of another failure.
attempt verify_own(const trust& whom, X509* leaf, STACK_OF(X509) * others, peer_role role) {
  attempt made = verify_as_server(whom.administrator.get(), whom, leaf, others, false);
  if (role == peer_role::server || !made.has("certificate-purpose")) return made;
  return verify_against(whom.administrator.get(), whom, leaf, others, X509_PURPOSE_SSL_CLIENT);
}

// What is wrong with the leaf whoever issued it.
findings check_leaf(X509* leaf) {
  findings found;
  if ((X509_get_extension_flags(leaf) & EXFLAG_INVALID) != 0)
    found.push_back({"certificate-extension", "an extension is broken, or there twice"});
  if (X509_check_ca(leaf) == 1)
    found.push_back({"certificate-authority", "the leaf is itself an authority (CA:TRUE)"});
  if (X509_self_signed(leaf, 1) == 1)
    found.push_back({"certificate-self-signed", "the leaf signed itself"});
  // RFC 8446 section 4.4.2.2; absent, OpenSSL says that all is allowed.
  if ((X509_get_key_usage(leaf) & KU_DIGITAL_SIGNATURE) == 0)
    found.push_back({"certificate-purpose", "the key usage does not allow signatures"});
  ERR_clear_error();
  return found;
}

// --- The steps of an explanation. ---

void add_step(std::vector<step>& steps, std::string_view rule, const findings& found,
              std::string_view where, std::string_view when_good) {
  const auto bad =
      std::find_if(found.begin(), found.end(), [&](const finding& f) { return f.rule == rule; });
  const bool good = bad == found.end();
  steps.push_back({rule, good ? step::verdict::good : step::verdict::bad,
                   fmt::format("{}{}", where, good ? when_good : std::string_view(bad->text))});
}

void add_leaf_steps(std::vector<step>& steps, const findings& found) {
  add_step(steps, "certificate-extension", found, "", "the leaf's extensions can be read");
  add_step(steps, "certificate-authority", found, "", "the leaf is no authority");
  add_step(steps, "certificate-self-signed", found, "", "the leaf did not sign itself");
  add_step(steps, "certificate-purpose", found, "", "the leaf's key may sign");
}

// What a chain that does not lead to an authority leaves open.
bool needs_whole_chain(std::string_view rule) {
  return rule == "certificate-signature" || rule == "certificate-constraint" ||
         rule.starts_with("certificate-revo");
}

void add_store_steps(std::vector<step>& steps, const trust& whom, const attempt& made,
                     std::string_view where) {
  const auto skip = [&](std::string_view rule, std::string_view why) {
    steps.push_back({rule, step::verdict::skipped, fmt::format("{}{}", where, why)});
  };
  for (const chain_rule& rule : chain_rules) {
    if (rule.word.starts_with("certificate-revo") && !whom.check_revocation)
      skip(rule.word, "no revocation lists are set");
    else if (needs_whole_chain(rule.word) && made.has("certificate-issuer"))
      skip(rule.word, "open, as the chain is not whole");
    else
      add_step(steps, rule.word, made.found, where, rule.when_good);
  }
}

constexpr const char* nobody_trusted = "no authority at all is trusted here";

error refusal(const finding& why) { return {fault::peer, why.rule, "", why.text}; }

// Both stores refused. What counts is what the one says that knows the chain's authority; the
// administrator's where both do or neither does.
error refusal_of(const std::optional<attempt>& by_system, const std::optional<attempt>& by_own) {
  if (!by_own && !by_system) return refusal({"certificate-issuer", nobody_trusted});
  if (!by_own) return refusal(by_system->found.front());
  if (!by_system || !by_own->has("certificate-issuer") || by_system->has("certificate-issuer"))
    return refusal(by_own->found.front());
  return refusal(by_system->found.front());
}

// The step of a store that was not asked.
void add_skipped(std::vector<step>& steps, std::string text) {
  steps.push_back({"certificate-issuer", step::verdict::skipped, std::move(text)});
}

}  // namespace

verification verify_chain(const trust& whom, X509* leaf, STACK_OF(X509) * others, peer_role role) {
  verification made;
  const findings of_leaf = check_leaf(leaf);
  add_leaf_steps(made.steps, of_leaf);
  std::optional<attempt> by_system;
  std::optional<attempt> by_own;
  if (whom.system) {
    // A public authority says what a certificate is for; serverAuth is what proves a domain.
    by_system = verify_as_server(whom.system.get(), whom, leaf, others, true);
    add_store_steps(made.steps, whom, *by_system, "system's store: ");
  } else {
    add_skipped(made.steps, "system's store: not used");
  }
  const bool system_enough = by_system && by_system->good();
  if (whom.administrator && !system_enough) {
    by_own = verify_own(whom, leaf, others, role);
    add_store_steps(made.steps, whom, *by_own, "own authorities: ");
  } else {
    add_skipped(made.steps, whom.administrator ? "own authorities: not asked any more"
                                               : "own authorities: none are set");
  }
  if (!whom.system && !whom.administrator)
    made.steps.push_back({"certificate-issuer", step::verdict::bad, nobody_trusted});
  if (!of_leaf.empty())
    made.refused = refusal(of_leaf.front());
  else if (system_enough || (by_own && by_own->good()))
    made.good_until = (system_enough ? by_system : by_own)->good_until;
  else
    made.refused = refusal_of(by_system, by_own);
  return made;
}

}  // namespace ima::tls
