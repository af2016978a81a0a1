#include "accounts.hpp"

#include "addresses.hpp"
#include "handlers.hpp"
#include "python_account.hpp"

#include <ima/service/accounts.hpp>

#include <pybind11/stl.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

namespace ima::python {
namespace {

using retrieval::reason;

// What the built-in accounts ask of users whom Python knows, once they are proved.
class python_users : public service::user_directory {
 public:
  explicit python_users(const anywhere& inner) : inner_(inner) {}

  result<std::string> by_password(std::string_view, octets) override { return not_here(); }
  result<std::string> by_certificate(std::string_view,
                                     const retrieval::certificate_facts&) override {
    return not_here();
  }
  // Who raises here lets nobody go on.
  bool admits(std::string_view user, const std::string& mailbox,
              const std::optional<retrieval::certificate_facts>& proof) override {
    const with_gil gil;
    if (!py::hasattr(*inner_, "admits")) return user_directory::admits(user, mailbox, proof);
    const auto said = ask_python("admits() must return a bool", [&] {
      const py::object key = proof ? py::cast(proof->key) : py::none();
      const auto names = proof ? proof->operator_ca_names : std::vector<std::string>();
      return (*inner_).attr("admits")(user, path_out(mailbox), key, names).cast<bool>();
    });
    return said && *said;
  }
  result<void> change_password(std::string_view user, octets old_password,
                               octets new_password) override {
    const with_gil gil;
    if (!py::hasattr(*inner_, "change_password"))
      return user_directory::change_password(user, old_password, new_password);
    return ask_python("change_password() takes two passwords", [&] {
      (*inner_).attr("change_password")(user, to_bytes(old_password), to_bytes(new_password));
    });
  }
  std::vector<address> addresses_of(std::string_view user) const override {
    const with_gil gil;
    std::vector<address> out;
    if (!py::hasattr(*inner_, "addresses_of")) return out;
    const auto known = ask_python("addresses_of() must return a list of addresses", [&] {
      return (*inner_).attr("addresses_of")(user).cast<std::vector<address_in>>();
    });
    if (known)
      for (const address_in& one : *known) out.push_back(*one);
    return out;
  }

 private:
  static error not_here() { return retrieval::refusal(reason::auth, "users are proved elsewhere"); }

  const anywhere& inner_;
};

// Users whom a Python object proves: it says where the built-in account has its mailbox, or makes
// an account of its own.
class python_office : public retrieval::authenticator {
 public:
  python_office(py::object users, const service::post_office_options& options)
      : inner_(std::move(users)),
        users_(inner_),
        office_(mailbox::posix_file_system(), users_, options) {}

  result<std::unique_ptr<retrieval::account>> by_password(std::string_view user,
                                                          octets password) override {
    return prove(user, "by_password", nullptr,
                 [&] { return py::make_tuple(user, to_bytes(password)); });
  }
  result<std::unique_ptr<retrieval::account>> by_certificate(
      std::string_view user, const retrieval::certificate_facts& facts) override {
    return prove(user, "by_certificate", &facts,
                 [&] { return py::make_tuple(user, facts.key, facts.operator_ca_names); });
  }
  std::vector<std::string_view> capabilities() const override {
    const auto own = ask_python(
        "capabilities must be a list of str", [&]() -> std::optional<std::vector<std::string>> {
          if (!py::hasattr(*inner_, "capabilities")) return std::nullopt;
          return (*inner_).attr("capabilities").cast<std::vector<std::string>>();
        });
    if (!own || !*own) return office_.capabilities();
    namespace word = retrieval::capability;
    std::vector<std::string_view> out;
    for (const auto known : {word::folders, word::append, word::search, word::quota, word::password,
                             word::watch, word::send, word::queue})
      if (std::find((*own)->begin(), (*own)->end(), known) != (*own)->end()) out.push_back(known);
    return out;
  }

 private:
  struct proved {
    std::string path;
    std::unique_ptr<retrieval::account> account;
  };

  // `facts` are null for a user who proved himself by password.
  template <class Arguments>
  result<std::unique_ptr<retrieval::account>> prove(std::string_view user, const char* method,
                                                    const retrieval::certificate_facts* facts,
                                                    Arguments arguments) {
    constexpr const char* must =
        "by_password() and by_certificate() must return a path, an account or None";
    auto who = ask_python(must, [&]() -> proved {
      py::object said = (*inner_).attr(method)(*arguments());
      if (said.is_none()) return {};
      if (py::hasattr(said, "folders")) return {{}, account_from(std::move(said))};
      return {said.cast<path_in>().held, nullptr};
    });
    if (!who) return std::move(who).error();
    if (who->account) return std::move(who->account);
    if (who->path.empty()) return retrieval::refusal(reason::auth, "wrong user name or proof");
    return office_.open(user, who->path, facts ? std::optional(*facts) : std::nullopt);
  }

  anywhere inner_;
  python_users users_;
  service::post_office office_;
};

// A copy of accounts, and the post office over it.
class built_in_office : public retrieval::authenticator {
 public:
  built_in_office(const service::accounts& users, const service::post_office_options& options)
      : users_(users), office_(mailbox::posix_file_system(), users_, options) {}

  result<std::unique_ptr<retrieval::account>> by_password(std::string_view user,
                                                          octets password) override {
    return office_.by_password(user, password);
  }
  result<std::unique_ptr<retrieval::account>> by_certificate(
      std::string_view user, const retrieval::certificate_facts& facts) override {
    return office_.by_certificate(user, facts);
  }
  std::vector<std::string_view> capabilities() const override { return office_.capabilities(); }

 private:
  service::accounts users_;
  service::post_office office_;
};

}  // namespace

std::unique_ptr<retrieval::authenticator> office_from(const py::object& users,
                                                      const service::post_office_options& options) {
  if (py::isinstance<service::accounts>(users))
    return std::make_unique<built_in_office>(users.cast<const service::accounts&>(), options);
  if (!py::hasattr(users, "by_password") || !py::hasattr(users, "by_certificate"))
    throw py::type_error("users have the methods by_password() and by_certificate()");
  return std::make_unique<python_office>(users, options);
}

}  // namespace ima::python
