// ima-admin check-certificate …

#include "commands.hpp"
#include "exit_codes.hpp"
#include "output.hpp"

#include <ima/address.hpp>
#include <ima/small_file.hpp>
#include <ima/tls/explain.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace ima::tools::admin {
namespace {

struct question {
  tls::context_options trust;
  tls::peer_role peer = tls::peer_role::server;
  std::string chain_file;
  std::string domain;
};

void print(const tls::explanation& told, const std::string& domain) {
  tools::print("certificate {}\nkey {}\n", told.certificate.fingerprint.hex(),
               told.certificate.key.hex());
  for (const tls::step& s : told.steps)
    tools::print("{:<7} {:<25} {}\n", to_string(s.what), s.rule, printable(s.text));
  if (told.refused)
    tools::print("refused: {}\n", told.refused->message());
  else
    tools::print("proved: {}\n", domain);
}

int check(const question& q) {
  const auto domain = hostpart_from_unicode(q.domain);
  if (!domain) return complain(program, domain.error());
  const auto chain = read_small_file(q.chain_file, "no-input");
  if (!chain) return complain(program, chain.error());
  const auto context = tls::context::create(q.trust);
  if (!context) return complain(program, context.error());
  const auto told = tls::explain(*context, *chain, *domain, q.peer);
  if (!told)
    return complain(program, {fault::peer, told.error().rule, q.chain_file, told.error().text});
  print(*told, *domain);
  return told->refused ? exit_failed : exit_ok;
}

// One of two words; `take` is told whether it is the first.
CLI::Option& add_choice(CLI::App& command, const std::string& name,
                        const std::vector<std::string>& words, const std::string& help,
                        const std::function<void(bool)>& take) {
  const auto read = [take, first = words[0]](const std::string& word) { take(word == first); };
  return *command.add_option_function<std::string>(name, read, help)
              ->type_name(words[0] + "|" + words[1])
              ->check(CLI::IsMember(words).description(""));
}

void add_options(CLI::App& command, question& q) {
  add_choice(command, "--peer", {"client", "server"},
             "Whether the certificate's owner connects or is connected to",
             [&q](bool first) { q.peer = first ? tls::peer_role::client : tls::peer_role::server; })
      .required();
  command.add_option("--ca", q.trust.ca_file, "Our own authorities (PEM)");
  command.add_option("--crl", q.trust.crl, "Revocation lists: a file or a directory");
  command.add_flag("--no-system-store{false}", q.trust.system_store,
                   "Do not trust the system's authorities");
  add_choice(command, "--common-name", {"fallback", "never"},
             "Whether a commonName counts where there is no subjectAltName", [&q](bool first) {
               q.trust.names = first ? tls::common_name::fallback : tls::common_name::never;
             });
  command.add_option("CHAIN", q.chain_file, "The certificate and those behind it (PEM)")
      ->required();
  command.add_option("DOMAIN", q.domain, "The hostpart that it is to prove")->required();
}

}  // namespace

void add_certificate_commands(CLI::App& app, action& chosen) {
  CLI::App* command = app.add_subcommand(
      "check-certificate", "Say whether a chain of certificates proves a domain, and why");
  const auto q = std::make_shared<question>();
  add_options(*command, *q);
  command->callback([q, &chosen] { chosen = [q] { return check(*q); }; });
}

}  // namespace ima::tools::admin
