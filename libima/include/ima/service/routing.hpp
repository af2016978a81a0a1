#pragma once

#include <ima/address.hpp>
#include <ima/error.hpp>
#include <ima/export.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace ima::service {

/// What is done for one address; exactly one of the three.
struct route {
  std::string mailbox;               ///< Path of a mailbox, or empty.
  std::vector<std::string> command;  ///< Arguments; `{address}` in them stands for the recipient.
  std::vector<address> alias;        ///< Other addresses that stand for this one.
};

/// The arguments for a recipient: `{address}` is replaced where it stands, and where it stands
/// nowhere the address is appended. An argument that would begin with '-' because the address does
/// has "./" before it, so that no command takes what a stranger wrote for an option.
IMA_API std::vector<std::string> arguments_for(const std::vector<std::string>& command,
                                               const address& recipient);

/// Entries that a table looks up elsewhere than in memory. Thread-safe.
class route_source {
 public:
  virtual ~route_source() = default;
  /// The entry under `key`, an address::key() or "@hostpart". Error: fault::temporary.
  virtual result<std::optional<route>> find(std::string_view key) const = 0;
};

/// Opens a table of any size in an SQLite file (docs/delivery.md section 10.5), which is read entry
/// by entry, by one thread at a time. Relative mailboxes start at the file's directory. Errors:
/// fault::caller, rule `route-database`, where it is not such a file; the same rule with
/// fault::temporary from find().
IMA_API result<std::shared_ptr<const route_source>> open_route_database(const std::string& path);

/// What the receiving host does for each of its addresses (docs/delivery.md section 10.5). A value.
/// Filled by one thread, then only read; reading is thread-safe.
class IMA_API routing_table {
 public:
  /// Makes `hostpart` (in its wire form) one of ours: its addresses without an entry do not exist.
  void add_host(std::string_view hostpart);
  /// Errors: fault::caller, rule `route`, for a second entry or one that does not say one thing.
  result<void> add(const address& recipient, route what);
  /// An entry for all addresses of a hostpart that have none. Errors as add().
  result<void> add_catch_all(std::string_view hostpart, route what);
  /// Entries beside those that were added; those that were added come first.
  void add_source(std::shared_ptr<const route_source> more) { source_ = std::move(more); }
  /// Looks for aliases that name addresses of ours without an entry. Error: fault::caller, rule
  /// `route`. What only a source holds is not looked at.
  result<void> check() const;
  /// True where an alias that was added leads to another host, so that a way to send is needed.
  bool leads_elsewhere() const;

  /// True where neither a host, an entry nor a source was added.
  bool empty() const noexcept { return hosts_.empty() && routes_.empty() && !source_; }
  /// Whether add_host() named it.
  bool is_ours(std::string_view hostpart) const;
  /// The entry of the address; else of the address without `+` and what follows in its local part;
  /// else of all its host. Errors: those of the source.
  result<std::optional<route>> find(const address& recipient) const;

 private:
  result<void> put(std::string key, std::string place, route what);
  result<std::optional<route>> look_up(const std::string& key) const;

  std::unordered_set<std::string> hosts_;
  std::unordered_map<std::string, route> routes_;  // by address::key() or "@hostpart"
  std::shared_ptr<const route_source> source_;
};

/// One place where mail for a recipient goes: a mailbox or a command, and whose entry says so.
struct destination {
  address whose;  ///< The address whose entry leads there.
  route what;     ///< A mailbox or a command; never an alias.
};

/// Where mail for one recipient goes in the end.
struct resolution {
  bool known = false;                ///< Its entry leads somewhere.
  bool alias = false;                ///< Its entry stands for other addresses.
  std::vector<destination> here;     ///< Each once.
  std::vector<address> elsewhere;    ///< At other hosts; each once.
  std::vector<address> nonexistent;  ///< Ours, named by an alias, and without an entry.
};

/// Follows aliases to their ends; each address is looked at once, so that aliases that name each
/// other end. Errors: those of the table; fault::temporary, rule `route`, for more than 10,000
/// addresses.
IMA_API result<resolution> resolve(const routing_table& routes, const address& recipient);

}  // namespace ima::service
