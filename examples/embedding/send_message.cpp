// The smallest sender: a message file goes to all its recipients' hosts, or to none.
//
//   send_message CHAIN KEY CA MESSAGE [HOSTPART=ADDRESS]...

#include <ima/net/sender.hpp>
#include <ima/service/message_file.hpp>

#include <iostream>
#include <string>

namespace {

int complain(const ima::error& problem) {
  std::cerr << problem.message() << '\n';
  return problem.kind == ima::fault::temporary || problem.kind == ima::fault::unknown ? 75 : 1;
}

void print(const ima::net::host_report& host) {
  if (!host.problem.empty())
    std::cout << "NOTE " << host.host << ": " << ima::printable(host.problem) << '\n';
  for (const auto& r : host.results)
    std::cout << to_string(r.what) << ' ' << r.recipient.text() << ' ' << ima::printable(r.text)
              << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    std::cerr << "usage: send_message CHAIN KEY CA MESSAGE [HOSTPART=ADDRESS]...\n";
    return 64;
  }
  ima::tls::context_options trust;
  trust.credentials = {{argv[1], argv[2]}};
  trust.system_store = false;  // here we trust one authority of our own
  trust.ca_file = argv[3];
  const auto tls = ima::tls::context::create(trust);
  if (!tls) return complain(tls.error());

  auto message = ima::service::message_file::open(argv[4]);
  if (!message) return complain(message.error());

  ima::net::sender_options options;
  for (int i = 5; i < argc; ++i) {
    const std::string known = argv[i];
    options.hosts[known.substr(0, known.find('='))] = known.substr(known.find('=') + 1);
  }
  const auto report = ima::net::send_message(message->header(), *message, *tls, options);
  if (!report) return complain(report.error());
  for (const auto& host : report->hosts) print(host);
  using outcome = ima::net::send_report::outcome;
  if (report->what == outcome::deferred) return 75;  // nobody has it, and all may have it later
  return report->what == outcome::delivered ? 0 : 1;
}
