#include "support/try.hpp"

#include <ima/service/accounts.hpp>

#include <algorithm>
#include <utility>

namespace ima::service {
namespace {

bool good_name(std::string_view user) {
  return !user.empty() && std::all_of(user.begin(), user.end(), [](char c) {
    return static_cast<unsigned char>(c) > ' ' && c != '\x7f';
  });
}

// One answer for every wrong proof, so that it does not tell which users there are.
error wrong_proof() {
  return retrieval::refusal(retrieval::reason::auth, "wrong user name or proof");
}

bool proves(const user_account& account, std::string_view user,
            const retrieval::certificate_facts& facts) {
  const auto listed = [](const auto& list, const auto& value) {
    return std::find(list.begin(), list.end(), value) != list.end();
  };
  if (listed(account.keys, facts.key)) return true;
  return account.operator_certificate && listed(facts.operator_ca_names, user);
}

}  // namespace

result<void> accounts::add(std::string_view user, user_account account) {
  const auto bad = [&](std::string_view why) {
    return error{fault::caller, "account", std::string(user), std::string(why)};
  };
  if (!good_name(user)) return bad("a user name is not empty and has no space or control");
  if (account.mailbox.empty()) return bad("the user has no mailbox");
  if (!users_.emplace(user, std::move(account)).second) return bad("the user is listed already");
  return {};
}

const user_account* accounts::find(std::string_view user) const {
  const auto at = users_.find(user);
  return at == users_.end() ? nullptr : &at->second;
}

void accounts::each(
    const std::function<void(std::string_view user, const user_account&)>& what) const {
  for (const auto& [user, account] : users_) what(user, account);
}

result<std::string> accounts::by_password(std::string_view user, octets password) {
  const user_account* const account = find(user);
  if (account == nullptr || !account->password) {
    IMA_CHECK(password_hash::make(password, cost_));  // the time it takes tells nothing
    return wrong_proof();
  }
  IMA_TRY(right, account->password->matches(password));
  if (right) return account->mailbox;
  if (account->password->weaker_than(cost_))  // it was looked at faster than the others are
    IMA_CHECK(password_hash::make(password, cost_));
  return wrong_proof();
}

bool accounts::admits(std::string_view user, const std::string& mailbox,
                      const std::optional<retrieval::certificate_facts>& proof) {
  const user_account* const account = find(user);
  if (account == nullptr || account->mailbox != mailbox) return false;
  return proof ? proves(*account, user, *proof) : account->password.has_value();
}

std::vector<address> accounts::addresses_of(std::string_view user) const {
  const user_account* const account = find(user);
  return account == nullptr ? std::vector<address>() : account->addresses;
}

result<password_hash> accounts::new_password(std::string_view user, octets old_password,
                                             octets new_password) {
  if (new_password.size() < shortest_password)
    return retrieval::refusal(retrieval::reason::limit, "the new password is too short");
  IMA_CHECK(by_password(user, old_password));
  return password_hash::make(new_password, cost_);
}

result<std::optional<password_hash>> accounts::stronger(std::string_view user,
                                                        octets password) const {
  const user_account* const account = find(user);
  const bool weak =
      account != nullptr && account->password && account->password->weaker_than(cost_);
  if (!weak) return std::optional<password_hash>();
  IMA_TRY(made, password_hash::make(password, cost_));
  return std::optional(std::move(made));
}

result<std::string> accounts::by_certificate(std::string_view user,
                                             const retrieval::certificate_facts& facts) {
  const user_account* const account = find(user);
  if (account == nullptr || !proves(*account, user, facts)) return wrong_proof();
  return account->mailbox;
}

}  // namespace ima::service
