#pragma once

#include <ima/address.hpp>
#include <ima/error.hpp>
#include <ima/export.hpp>

#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace ima::service {

/// What is done for one address: delivered into a mailbox, or given to a command.
struct route {
  std::string mailbox;               ///< Path; empty where a command is run.
  std::vector<std::string> command;  ///< Arguments; `{address}` in them stands for the recipient.
};

/// The arguments for a recipient: `{address}` is replaced where it stands, and where it stands
/// nowhere the address is appended, with "./" before it if it begins with '-' so that no command
/// takes it for an option.
IMA_API std::vector<std::string> arguments_for(const std::vector<std::string>& command,
                                               const address& recipient);

/// What the receiving host does for each of its addresses (docs/delivery.md section 10). Filled,
/// then only read; reading is thread-safe.
class IMA_API routing_table {
 public:
  /// Makes `hostpart` one of ours: its addresses without an entry do not exist.
  void add_host(std::string_view hostpart);
  /// Errors: fault::caller, rule `route`, for a second entry or one that says nothing.
  result<void> add(const address& recipient, route what);

  bool is_ours(std::string_view hostpart) const;
  /// The entry, or null.
  const route* find(const address& recipient) const;

 private:
  std::unordered_set<std::string> hosts_;
  std::unordered_map<std::string, route> routes_;  // by address::key()
};

}  // namespace ima::service
