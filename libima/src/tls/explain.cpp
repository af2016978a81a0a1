#include "support/try.hpp"
#include "tls/chain_file.hpp"
#include "tls/context_content.hpp"
#include "tls/facts.hpp"
#include "tls/verification.hpp"

#include <ima/address.hpp>
#include <ima/tls/explain.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace ima::tls {
namespace {

// Names that prove nothing, and why.
void add_ignored(std::vector<step>& steps, const certificate_facts& facts) {
  for (const std::string& why : facts.ignored)
    steps.push_back({"identity", step::verdict::skipped, why});
}

step proved_by(const certificate_facts& facts, std::string_view domain) {
  const auto name = std::find_if(facts.names.begin(), facts.names.end(),
                                 [&](const std::string& n) { return covers(n, domain); });
  return {"identity", step::verdict::good, fmt::format("its name '{}' proves '{}'", *name, domain)};
}

}  // namespace

std::string_view to_string(step::verdict v) noexcept {
  switch (v) {
    case step::verdict::good:
      return "good";
    case step::verdict::bad:
      return "bad";
    case step::verdict::skipped:
      break;
  }
  return "skipped";
}

result<explanation> explain(const context& with, std::string_view chain, std::string_view domain,
                            peer_role peer) {
  if (auto good = check_hostpart(domain); !good)
    return error{fault::caller, "hostpart", "", std::move(good).error().text};
  IMA_TRY(shown, read_chain(chain));
  const trust& whom = with.inside().whom;
  verification made = verify_chain(whom, shown.leaf.get(), shown.others.get(), peer);
  explanation out{facts_of(shown.leaf.get(), whom.names), std::move(made.steps),
                  std::move(made.refused)};
  add_ignored(out.steps, out.certificate);
  auto proved = proves(out.certificate, domain);
  out.steps.push_back(proved ? proved_by(out.certificate, domain)
                             : step{"identity", step::verdict::bad, proved.error().text});
  if (!proved && !out.refused) out.refused = std::move(proved).error();
  return out;
}

}  // namespace ima::tls
