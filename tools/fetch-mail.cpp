// Copies a mailbox from a post office into a local directory (docs/man/fetch-mail.1.scd).

#include "arguments.hpp"
#include "config.hpp"
#include "exit_codes.hpp"
#include "hosts.hpp"
#include "mirror.hpp"
#include "password_file.hpp"
#include "tls_settings.hpp"

#include <ima/address.hpp>
#include <ima/mailbox/file_system.hpp>
#include <ima/mailbox/mailbox.hpp>
#include <ima/net/retrieval_client.hpp>

#include <fmt/format.h>

#include <filesystem>
#include <string>

namespace {

using namespace ima;

constexpr const char* program = "fetch-mail";

struct settings {
  net::retrieval_client_options client;
  tls::context_options tls;
  std::string user;
  std::filesystem::path password_file;  // empty: the client certificate is the proof
};

void read_keys(tools::config_table& config, settings& s) {
  std::string host;
  config.require("host");
  config.read("host", host);
  auto hostpart = hostpart_from_unicode(host);
  if (!hostpart) return config.reject("host", "is not a hostpart");
  s.client.host = *std::move(hostpart);
  config.require("user");
  config.read("user", s.user);
  config.read("password-file", s.password_file);
  config.read("certificate-name", s.client.certificate_name);
  tools::read_hosts(config, s.client.hosts);
  tools::read_dns(config, s.client.dns);
  tools::read_tls(config, s.tls);
}

result<void> read_settings(const std::string& file, settings& s) {
  s.tls.inside = tls::protocol::imrp;
  s.client.bounds.body = UINT64_MAX;  // how much is welcome is the post office's business
  return tools::read_config(file, [&](tools::config_table& config) { read_keys(config, s); });
}

result<void> prove(net::retrieval_client& client, const settings& s) {
  if (s.password_file.empty()) return client.authenticate(s.user);
  const auto password = tools::read_password_file(s.password_file.string());
  if (!password) return password.error();
  return client.authenticate(s.user, password->view());
}

result<mailbox::mailbox> open_directory(const std::string& path) {
  mailbox::file_system& disk = mailbox::posix_file_system();
  const auto there = disk.status(path + "/format");
  if (!there) return there.error();
  if (!*there)
    if (auto made = mailbox::mailbox::create(disk, path); !made) return made.error();
  return mailbox::mailbox::open(disk, path);
}

void print(const tools::new_message& m) {
  const std::string domain = m.verified_domain.empty() ? "-" : printable(m.verified_domain);
  fmt::print("{} {} {} {} {}\n", printable(m.folder), m.id, domain, printable(m.from),
             printable(m.subject));
}

result<void> fetch(const std::string& path, const settings& s) {
  auto local = open_directory(path);
  if (!local) return local.error();
  const auto context = tls::context::create(s.tls);
  if (!context) return context.error();
  auto client = net::retrieval_client::connect(s.client, *context);
  if (!client) return client.error();
  if (auto good = prove(*client, s); !good) return good;
  tools::mirror copy(*client, *local,
                     {path, fmt::format("{}\n{}", s.client.host, s.user), s.client.bounds});
  if (auto good = copy.update(print); !good) return good;
  return client->done();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Copies a mailbox from a post office into a local directory.", program);
  tools::config_arguments arguments;
  tools::add_config_arguments(app, arguments);
  app.get_option("--config")->required();
  std::string path;
  app.add_option("DIRECTORY", path, "The local mailbox; made where it does not exist");
  if (const auto status = tools::parse_arguments(app, argc, argv)) return *status;
  settings s;
  if (auto good = read_settings(arguments.file, s); !good)
    return tools::complain(program, good.error());
  if (arguments.check_only) return tools::exit_ok;
  if (path.empty())
    return tools::complain(program, {fault::caller, "arguments", "DIRECTORY", "which directory?"});
  const auto good = fetch(path, s);
  return good ? tools::exit_ok : tools::complain(program, good.error());
}
