#pragma once

#include "certificates.hpp"
#include "folder.hpp"
#include "foreign_peer.hpp"

#include <ima/tls/engine.hpp>

#include <string>
#include <vector>

// Our side of a connection with a foreign peer, in memory.

namespace ima::test {

/// A root as an operator would make it.
inline certified make_root(const std::string& name = "Test Root", int number = 0) {
  return make({.subject = {{name}},
               .extensions = {"basicConstraints=critical,CA:TRUE",
                              "keyUsage=critical,keyCertSign,cRLSign", "subjectKeyIdentifier=hash"},
               .key_number = 100 + number});
}

inline const certified& root() {
  static const certified made = make_root();
  return made;
}

inline plan domain_plan(const std::string& domain) {
  return {.extensions = {"subjectAltName=DNS:" + domain, "extendedKeyUsage=serverAuth"}};
}

/// What ours trusts and shows: `root()` as its own authority, and its own certificates.
class own_side {
 public:
  own_side() {
    options.system_store = false;
    options.now = noon;
    options.ca_file = files.write("root.pem", pem_of(root()));
    add("a.example");
    add("b.example");
  }
  void add(const std::string& domain) {
    plan p = domain_plan(domain);
    p.key_number = static_cast<int>(options.credentials.size());
    const certified c = make(p, &root());
    options.credentials.push_back(
        {files.write(domain + ".pem", pem_of(c)), files.write(domain + ".key", key_pem_of(c))});
  }

  folder files;
  tls::context_options options;
};

/// What our engine made of the other side.
struct met {
  tls::engine ours;
  std::string rule;  ///< Of the error, if there was one.
  std::string text;
  std::string got;
};

/// Reads until more is needed or it fails.
inline void read_all(met& m) {
  char buffer[4096];
  while (m.rule.empty()) {
    auto count = m.ours.read(buffer, sizeof buffer);
    if (!count) {
      m.rule = count.error().rule;
      m.text = count.error().text;
    }
    if (!count || *count == 0) return;
    m.got.append(buffer, *count);
  }
}

/// Moves octets between the two until neither has any left.
inline void run(met& m, foreign_peer& peer) {
  for (int round = 0; round < 20; ++round) {
    const std::string ours(m.ours.pending_output());
    m.ours.sent(ours.size());
    const std::string theirs = peer.exchange(ours);
    if (ours.empty() && theirs.empty()) return;
    m.ours.receive(theirs);
    read_all(m);
  }
}

/// A server of ours meets this peer as its client.
inline met serve(const tls::context& with, foreign_peer& peer) {
  met m{tls::engine::server(with).value(), "", "", ""};
  run(m, peer);
  return m;
}

/// A client of ours asks this peer for `domain`.
inline met call(const tls::context& with, foreign_peer& peer, const std::string& domain) {
  met m{tls::engine::client(with, domain, "a.example").value(), "", "", ""};
  run(m, peer);
  return m;
}

}  // namespace ima::test
