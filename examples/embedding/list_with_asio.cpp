// Lists a user's inbox as a coroutine on the program's own Asio loop; requests go out together.
//
//   list_with_asio CA HOSTPART ADDRESS PORT USER PASSWORD-FILE

#include "password_file.hpp"

#include <ima/net/asio_link.hpp>

#include <iostream>

namespace {

using asio::ip::tcp;
using ima::net::answer;
using ima::net::asio_link;
using ima::retrieval::client;
using ima::retrieval::client_event;
namespace reply = ima::retrieval::reply;

int complain(const ima::error& problem) {
  std::cerr << problem.message() << '\n';
  return 1;
}

// Waits for the answer to the request that is first in line; a refusal is an error, too.
asio::awaitable<ima::result<reply::done>> expect(
    asio_link<client>& link, std::function<ima::result<void>(client_event&)> take) {
  auto end = co_await answer(link, std::move(take));
  if (end && end->failed)
    co_return ima::error{ima::fault::refused, to_string(end->failed->why), "", end->failed->text};
  co_return end;
}

asio::awaitable<ima::result<void>> list(asio_link<client>& link, std::string_view user,
                                        std::string_view password) {
  client& office = link.session();
  if (auto asked = office.authenticate(user, password); !asked) co_return asked;
  if (auto asked = office.changes("inbox", "0", 500); !asked) co_return asked;
  const auto nothing = [](client_event&) { return ima::result<void>(); };
  if (auto end = co_await expect(link, nothing); !end) co_return end.error();
  std::vector<std::string> ids;
  const auto note = [&](client_event& event) {
    const auto* line = std::get_if<reply::changed_entry>(&event);
    if (line != nullptr && line->what.present) ids.push_back(line->what.id);
    return ima::result<void>();
  };
  if (auto end = co_await expect(link, note); !end) co_return end.error();
  if (ids.empty()) co_return ima::result<void>();
  if (auto asked = office.headers("inbox", ids); !asked) co_return asked;
  const auto show = [](client_event& event) -> ima::result<void> {
    const auto* found = std::get_if<reply::header>(&event);
    if (found == nullptr) return {};
    const auto header = ima::header_block::parse(found->block);
    if (!header) return header.error();
    std::cout << ima::printable(header->subject()) << '\n';
    return {};
  };
  if (auto end = co_await expect(link, show); !end) co_return end.error();
  co_return office.done();
}

asio::awaitable<int> run(const ima::tls::context& tls, char** argv) {
  const auto password = password_in(argv[6]);
  if (!password) co_return complain(password.error());
  tcp::socket socket(co_await asio::this_coro::executor);
  asio::error_code failed;
  const auto where = tcp::resolver(socket.get_executor()).resolve(argv[3], argv[4], failed);
  if (!failed)
    co_await asio::async_connect(socket, where, asio::redirect_error(asio::use_awaitable, failed));
  if (failed) co_return complain({ima::fault::temporary, "connection", argv[2], failed.message()});
  auto link = asio_link<client>::over(std::move(socket), tls, argv[2], "");
  if (!link) co_return complain(link.error());
  const auto good = co_await list(*link, argv[5], *password);
  if (good) co_await link->flush();
  co_await link->close();
  co_return good ? 0 : complain(good.error());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 7) {
    std::cerr << "usage: list_with_asio CA HOSTPART ADDRESS PORT USER PASSWORD-FILE\n";
    return 64;
  }
  const auto tls = ima::tls::context::create(
      {.inside = ima::tls::protocol::imrp, .system_store = false, .ca_file = argv[1]});
  if (!tls) return complain(tls.error());
  asio::io_context loop;
  int status = 1;
  asio::co_spawn(loop, run(*tls, argv), [&](const std::exception_ptr& thrown, int code) {
    if (thrown) std::rethrow_exception(thrown);
    status = code;
  });
  loop.run();
  return status;
}
