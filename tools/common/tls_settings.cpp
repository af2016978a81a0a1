#include "tls_settings.hpp"

#include <ima/date.hpp>

#include <chrono>
#include <string>
#include <vector>

namespace ima::tools {
namespace {

void read_file_name(config_table& table, std::string_view key, std::string& name) {
  std::filesystem::path path;
  table.read(key, path);
  if (!path.empty()) name = path.string();
}

void read_common_name(config_table& table, tls::common_name& rule) {
  std::string word = "fallback";
  table.read("common-name", word);
  if (word != "fallback" && word != "never") {
    return table.reject("common-name", "must be \"fallback\" or \"never\"");
  }
  rule = word == "never" ? tls::common_name::never : tls::common_name::fallback;
}

void read_keys(config_table& tls, tls::context_options& options) {
  tls.read("system-store", options.system_store);
  read_file_name(tls, "ca-file", options.ca_file);
  read_file_name(tls, "crl", options.crl);
  read_common_name(tls, options.names);
  tls.tables("certificate", [&](config_table& one) {
    one.require("chain");
    one.require("key");
    ima::tls::credential& pair = options.credentials.emplace_back();
    read_file_name(one, "chain", pair.chain_file);
    read_file_name(one, "key", pair.key_file);
  });
}

void add_files(const tls::context_options& options, watched_files& watched) {
  for (const std::string& file : {options.ca_file, options.crl})
    if (!file.empty()) watched.files.insert(file);
  for (const tls::credential& pair : options.credentials) {
    watched.files.insert(pair.chain_file);
    watched.files.insert(pair.key_file);
  }
}

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ",") + name;
  return out;
}

constexpr auto soon = std::chrono::hours(24 * 7);

}  // namespace

void read_tls(config_table& config, tls::context_options& options) {
  config.table("tls", [&](config_table& tls) { read_keys(tls, options); });
}

void read_server_tls(config_table& config, tls::context_options& options, watched_files& watched) {
  config.table("tls", [&](config_table& tls) {
    read_keys(tls, options);
    tls.read("watch", watched.every);
  });
  add_files(options, watched);
}

void log_certificates(const tls::context& context, log_sink& log) {
  const auto now = std::chrono::system_clock::now();
  for (const tls::certificate_facts& c : context.own_certificates())
    log.write({c.not_after < now + soon ? log_level::warning : log_level::info,
               "certificate",
               {{"names", joined(c.names)},
                {"until", timestamp{c.not_after, {}}.text()},
                {"fingerprint", c.fingerprint.hex()}}});
}

}  // namespace ima::tools
