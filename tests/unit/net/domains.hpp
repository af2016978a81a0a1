#pragma once

#include "authority.hpp"

#include <ima/tls/context.hpp>

#include <string>

// The domains of the tests, with certificates made once for all of them.

namespace net_test {

struct domains : ima::test::authority {
  domains() {
    for (const char* name : {"a.example", "b.example", "c.example", "d.example", "e.example"})
      issue_domain(name);
    issue("expired", "/CN=old.example", "subjectAltName=DNS:old.example", "-days -1");
  }
};

inline const domains& the_domains() {
  static const domains made;
  return made;
}

inline ima::tls::context imdp(const std::string& certificate) {
  ima::tls::context_options options;
  options.system_store = false;
  options.ca_file = the_domains().ca_file();
  options.credentials.push_back(
      {the_domains().path(certificate + ".pem"), the_domains().path(certificate + ".key")});
  return ima::tls::context::create(options).value();
}

}  // namespace net_test
