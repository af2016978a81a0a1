#include "addresses.hpp"
#include "binding.hpp"

#include <ima/service/accounts.hpp>
#include <ima/service/local_handler.hpp>
#include <ima/service/post_office.hpp>
#include <ima/service/routing.hpp>

#include <pybind11/stl.h>

#include <memory>
#include <utility>

namespace ima::python {
namespace {

using namespace py::literals;
using service::routing_table;

// A handler with the table it reads, which nobody changes any more.
struct routed_handler : service::local_handler {
  routed_handler(std::shared_ptr<const routing_table> t, service::local_handler_options o)
      : local_handler(mailbox::posix_file_system(), *t, std::move(o)), table(std::move(t)) {}
  std::shared_ptr<const routing_table> table;
};

std::shared_ptr<routed_handler> make_handler(const routing_table& routes, const limits& bounds,
                                             std::vector<std::string> send_command,
                                             double command_time) {
  service::local_handler_options options;
  options.send_command = std::move(send_command);
  options.bounds = bounds;
  options.command_time = std::chrono::seconds(static_cast<std::int64_t>(command_time));
  return std::make_shared<routed_handler>(std::make_shared<const routing_table>(routes), options);
}

void add_local_handler(py::module_& m) {
  py::class_<routed_handler, delivery::handler, std::shared_ptr<routed_handler>>(
      m, "LocalHandler", R"(The built-in handler: routes each recipient to a mailbox or a command.

Safe to use from many threads. It reads a copy of ``routes``.
)")
      .def(py::init(&make_handler), "routes"_a, py::kw_only(), "limits"_a = limits{},
           "send_command"_a = std::vector<std::string>{}, "command_time"_a = 300.0,
           "``command_time`` is in whole seconds. ``send_command`` is what an alias gives messages "
           "for other hosts to, as server-send-mail.");
}

void add_passwords(py::module_& m) {
  using service::password_hash;
  py::class_<password_hash>(m, "PasswordHash", R"(A password as it is kept, by scrypt.

>>> kept = ima.service.PasswordHash.make(b"secret", n=1024)
>>> kept.matches(b"secret"), kept.matches(b"Secret")
(True, False)
)")
      .def(py::init([](std::string_view text) { return take(password_hash::parse(text)); }),
           "text"_a, "Reads what ``str()`` wrote; raises LocalProtocolError.")
      .def_static(
          "make",
          [](const octets_in& password, std::uint64_t n, std::uint64_t r, std::uint64_t p) {
            return take(without_gil([&] {
              return password_hash::make(password.view(), service::scrypt_cost{n, r, p});
            }));
          },
          "password"_a, py::kw_only(), "n"_a = service::scrypt_cost{}.n,
          "r"_a = service::scrypt_cost{}.r, "p"_a = service::scrypt_cost{}.p,
          "Hashes with a fresh random salt.")
      .def("__str__", &password_hash::text)
      .def(
          "matches",
          [](const password_hash& h, const octets_in& password) {
            return take(without_gil([&] { return h.matches(password.view()); }));
          },
          "password"_a, "Compares in constant time.");
}

void add_accounts(py::module_& m) {
  using service::accounts;
  py::class_<accounts, std::shared_ptr<accounts>>(m, "Accounts", R"(The users of a post office.

Filled, then only read.

>>> users = ima.service.Accounts()
>>> users.add("bob", mailbox="/var/mail/bob",
...           password=ima.service.PasswordHash.make(b"secret", n=1024))
>>> users.by_password("bob", b"secret")
'/var/mail/bob'
)")
      .def(py::init<>(), "No users.")
      .def(
          "add",
          [](accounts& a, std::string_view user, path_in mailbox,
             std::optional<service::password_hash> password, std::vector<digest> keys,
             bool operator_certificate, const std::vector<address_in>& addresses) {
            service::user_account account{std::move(mailbox.held),
                                          std::move(password),
                                          std::move(keys),
                                          operator_certificate,
                                          {}};
            for (const address_in& one : addresses) account.addresses.push_back(*one);
            take(a.add(user, std::move(account)));
          },
          "user"_a, py::kw_only(), "mailbox"_a, "password"_a = std::nullopt,
          "keys"_a = std::vector<digest>{}, "operator_certificate"_a = false,
          "addresses"_a = py::tuple(), "Adds a user; raises LocalProtocolError.")
      .def(
          "by_password",
          [](const accounts& a, std::string_view user, const octets_in& password) {
            accounts now = a;  // another thread may add a user meanwhile
            return path_out(
                take(without_gil([&] { return now.by_password(user, password.view()); })));
          },
          "user"_a, "password"_a, "The path of the user's mailbox, where the proof holds.")
      .def(
          "may_send_from",
          [](const accounts& a, std::string_view user, const address_in& from) {
            return a.may_send_from(user, *from);
          },
          "user"_a, "address"_a, "Whether the address is among the user's.")
      .def(
          "new_password",
          [](const accounts& a, std::string_view user, const octets_in& old_password,
             const octets_in& new_password) {
            accounts now = a;
            return take(without_gil(
                [&] { return now.new_password(user, old_password.view(), new_password.view()); }));
          },
          "user"_a, "old_password"_a, "new_password"_a,
          "The PasswordHash for a user who knows the old one, to be kept; Refused with the rule "
          "auth "
          "or limit.");
}

}  // namespace

void add_service(py::module_& m) {
  add_routing(m);
  add_queue(m);
  add_local_handler(m);
  add_passwords(m);
  add_accounts(m);
}

}  // namespace ima::python
