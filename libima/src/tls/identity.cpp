#include <ima/date.hpp>
#include <ima/tls/engine.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <utility>

namespace ima::tls {
namespace {

// A stranger's certificate may hold thousands of names; a line of the log shows the first.
constexpr std::size_t shown = 10;

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (std::size_t i = 0; i < words.size() && i < shown; ++i)
    out += (out.empty() ? "" : ", ") + words[i];
  if (words.size() > shown) out += fmt::format(" and {} more", words.size() - shown);
  return out.empty() ? "none" : out;
}

}  // namespace

bool covers(std::string_view name, std::string_view domain) noexcept {
  if (!name.starts_with("*.")) return name == domain;
  const std::size_t dot = domain.find('.');
  return dot != std::string_view::npos && dot > 0 && domain.substr(dot + 1) == name.substr(2);
}

result<void> proves(const certificate_facts& certificate, std::string_view domain) {
  const auto hit = std::find_if(certificate.names.begin(), certificate.names.end(),
                                [&](const std::string& n) { return covers(n, domain); });
  if (hit != certificate.names.end()) return {};
  std::string text = fmt::format("the certificate does not prove '{}'; its names: {}", domain,
                                 joined(certificate.names));
  if (!certificate.ignored.empty()) text += "; ignored: " + joined(certificate.ignored);
  return error{fault::peer, "identity", "", std::move(text)};
}

result<void> vouches_for(const peer_facts& peer, std::string_view domain,
                         std::chrono::sys_seconds now) {
  if (!peer.certificate || !peer.chain_verified)
    return error{fault::peer, "certificate-chain", "", "no chain of certificates has verified"};
  if (now >= peer.good_until)  // as OpenSSL sees it
    return error{
        fault::peer, "certificate-expired", "",
        fmt::format("the peer's chain was valid until {}", timestamp{peer.good_until, {}}.text())};
  return proves(*peer.certificate, domain);
}

}  // namespace ima::tls
