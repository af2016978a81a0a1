#include "tls_settings.hpp"

#include <string>

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

}  // namespace

void read_tls(config_table& config, tls::context_options& options) {
  config.table("tls", [&](config_table& tls) {
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
  });
}

}  // namespace ima::tools
