#include "office_client.hpp"

#include "hosts.hpp"
#include "password_file.hpp"
#include "tls_settings.hpp"

#include <ima/address.hpp>

#include <utility>

namespace ima::tools {
namespace {

void read_keys(config_table& config, office_settings& s) {
  std::string host;
  config.require("host");
  config.read("host", host);
  auto hostpart = hostpart_from_unicode(host);
  if (!hostpart) return config.reject("host", hostpart.error().text);
  s.client.host = *std::move(hostpart);
  config.require("user");
  config.read("user", s.user);
  config.read("password-file", s.password_file);
  config.read("certificate-name", s.client.certificate_name);
  read_hosts(config, s.client.hosts);
  read_dns(config, s.client.dns);
  read_tls(config, s.tls);
}

result<void> prove(net::retrieval_client& client, const office_settings& s) {
  if (s.password_file.empty()) return client.authenticate(s.user);
  const auto password = read_password_file(s.password_file.string());
  if (!password) return password.error();
  return client.authenticate(s.user, password->view());
}

}  // namespace

result<office_settings> read_office_settings(const std::string& file) {
  office_settings s;
  s.tls.inside = tls::protocol::imrp;
  s.client.bounds.body = UINT64_MAX;  // how much is welcome is the post office's business
  const auto good = read_config(file, [&](config_table& config) { read_keys(config, s); });
  if (!good) return good.error();
  return s;
}

result<net::retrieval_client> open_office(const office_settings& settings) {
  const auto context = tls::context::create(settings.tls);
  if (!context) return context.error();
  auto client = net::retrieval_client::connect(settings.client, *context);
  if (!client) return client;
  if (auto good = prove(*client, settings); !good) return good.error();
  return client;
}

}  // namespace ima::tools
