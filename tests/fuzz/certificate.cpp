// Invariant: whatever DER a peer shows as its certificate, reading it, judging it as a chain of its
// own and explaining that end without a crash; every name it is credited with is a hostpart or a
// wildcard before one, in lower case, and it proves each of them and nothing else; and no chain of
// it verifies where nobody is trusted.

#include "require.hpp"

#include <ima/address.hpp>
#include <ima/tls/explain.hpp>

#include <openssl/evp.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace {

using namespace ima;

std::string as_pem(const std::uint8_t* der, std::size_t size) {
  std::vector<unsigned char> text(4 * ((size + 2) / 3) + 1);
  EVP_EncodeBlock(text.data(), der, static_cast<int>(size));
  std::string pem = "-----BEGIN CERTIFICATE-----\n";
  const std::string base64(text.begin(), text.end() - 1);
  for (std::size_t at = 0; at < base64.size(); at += 64) pem += base64.substr(at, 64) + "\n";
  return pem + "-----END CERTIFICATE-----\n";
}

void check_name(const tls::certificate_facts& facts, const std::string& name) {
  const bool wildcard = name.starts_with("*.");
  const std::string host = wildcard ? "m" + name.substr(1) : name;
  require(check_hostpart(host).has_value() || host.size() > 253);
  require(tls::covers(name, host));
  require(tls::proves(facts, host).has_value());
}

bool any_covers(const tls::certificate_facts& facts, const std::string& host) {
  return std::any_of(facts.names.begin(), facts.names.end(),
                     [&](const std::string& name) { return tls::covers(name, host); });
}

const tls::context& nobody_trusted() {
  static const tls::context made = [] {
    tls::context_options options;
    options.system_store = false;
    return tls::context::create(options).value();
  }();
  return made;
}

void check_explanation(const std::string& pem) {
  for (const auto role : {tls::peer_role::client, tls::peer_role::server}) {
    const auto told = tls::explain(nobody_trusted(), pem, "a.example", role);
    require(told.has_value());
    require(told->refused.has_value());
    require(!told->steps.empty());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 100'000) return 0;  // what a handshake would not take either
  const std::string pem = as_pem(data, size);
  const auto facts = tls::read_certificate(pem);
  require(facts.has_value() ==
          tls::explain(nobody_trusted(), pem, "a.example", tls::peer_role::server).has_value());
  if (!facts) return 0;
  for (const std::string& name : facts->names) check_name(*facts, name);
  require(tls::proves(*facts, "a.example").has_value() == any_covers(*facts, "a.example"));
  check_explanation(pem);
  return 0;
}
