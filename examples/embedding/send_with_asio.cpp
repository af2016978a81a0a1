// Delivers a message as a coroutine on the program's own Asio loop, which does other things
// meanwhile.
//
//   send_with_asio CHAIN KEY CA HOSTPART ADDRESS PORT MESSAGE

#include <ima/net/asio_link.hpp>
#include <ima/service/message_file.hpp>

#include <iostream>

namespace {

using asio::ip::tcp;
using ima::delivery::client;
using ima::net::asio_link;

int complain(const ima::error& problem) {
  std::cerr << problem.message() << '\n';
  return problem.kind == ima::fault::temporary || problem.kind == ima::fault::unknown ? 75 : 1;
}

int report(const ima::net::delivery_end& end) {
  if (const auto* no = std::get_if<ima::delivery::offer_declined>(&end)) {
    std::cout << (no->permanent ? "REJECT " : "DEFER ") << ima::printable(no->text) << '\n';
    return no->permanent ? 1 : 75;
  }
  const auto& verdict = std::get<ima::delivery::delivery_complete>(end);
  for (const auto& r : verdict.results)
    std::cout << to_string(r.what) << ' ' << r.recipient.text() << '\n';
  return verdict.what == ima::delivery::verdict::ok ? 0 : 1;
}

asio::awaitable<int> send(const ima::tls::context& tls, std::string host,
                          tcp::resolver::results_type where, ima::service::message_file& message) {
  tcp::socket socket(co_await asio::this_coro::executor);
  asio::error_code failed;
  co_await asio::async_connect(socket, where, asio::redirect_error(asio::use_awaitable, failed));
  if (failed) co_return complain({ima::fault::temporary, "connection", host, failed.message()});
  const auto header = message.header().for_host(host);
  auto link = asio_link<client>::over(std::move(socket), tls, host, header.originator().host());
  if (!link) co_return complain(link.error());
  const auto end = co_await deliver(*link, header, message);
  if (!end) co_return complain(end.error());
  if (link->session().done()) co_await link->flush();
  co_await link->close();
  co_return report(*end);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 8) {
    std::cerr << "usage: send_with_asio CHAIN KEY CA HOSTPART ADDRESS PORT MESSAGE\n";
    return 64;
  }
  const auto tls = ima::tls::context::create(
      {.credentials = {{argv[1], argv[2]}}, .system_store = false, .ca_file = argv[3]});
  if (!tls) return complain(tls.error());
  auto message = ima::service::message_file::open(argv[7]);
  if (!message) return complain(message.error());
  asio::io_context loop;
  asio::error_code unknown;
  const auto where = tcp::resolver(loop).resolve(argv[5], argv[6], unknown);
  if (unknown) return complain({ima::fault::temporary, "connection", argv[5], unknown.message()});
  int status = 1;
  asio::co_spawn(loop, send(*tls, argv[4], where, *message),
                 [&](const std::exception_ptr& thrown, int code) {
                   if (thrown) std::rethrow_exception(thrown);
                   status = code;
                 });
  loop.run();
  return status;
}
