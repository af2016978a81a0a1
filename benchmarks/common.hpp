#pragma once

#include <ima/header.hpp>
#include <ima/tls/context.hpp>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

// What the load generator and the sink share.

namespace ima::bench {

/// The value, or the end of the program with its error.
template <class T>
T or_die(result<T> r) {
  if (r) return std::move(r).value();
  fmt::print(stderr, "{}\n", r.error().message());
  std::exit(1);
}

struct identity {
  std::string ca;
  std::string chain;
  std::string key;
};

inline void add_identity(CLI::App& app, identity& who) {
  app.add_option("--ca", who.ca, "The authorities to trust")->required();
  app.add_option("--chain", who.chain, "Our certificate")->required();
  app.add_option("--key", who.key, "Its key")->required();
}

inline tls::context context_of(const identity& who) {
  tls::context_options options;
  options.system_store = false;
  options.ca_file = who.ca;
  options.credentials.push_back({who.chain, who.key});
  return or_die(tls::context::create(options));
}

}  // namespace ima::bench
