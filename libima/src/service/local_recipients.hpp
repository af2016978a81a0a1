#pragma once

#include <ima/delivery/handler.hpp>
#include <ima/header.hpp>
#include <ima/mailbox/file_system.hpp>
#include <ima/service/routing.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ima::service {

/// What a sender is told where the table or a mailbox cannot be read or written just now.
inline constexpr std::string_view store_failure = "the store fails";

/// A mailbox that gets the message, once, for whichever of the recipients lead to it.
struct local_box {
  std::string path;
  address whose;  ///< The first recipient that leads here.
  bool already = false;
  bool full = false;
  std::optional<error> failed = {};
};

/// A recipient of ours who does not have the message yet.
struct local_recipient {
  address who;
  std::string refused = {};  ///< Why an alias does not send the message on.
  bool deferred = false;     ///< The table or a mailbox of his cannot be read just now.
  std::vector<std::size_t> boxes = {};
  std::vector<destination> commands = {};
  std::vector<address> elsewhere = {};
  std::vector<address> nonexistent = {};
};

/// Who of a message's recipients is ours and where his mail goes: what there is to know at the
/// header stage (docs/delivery.md section 5).
class local_recipients {
 public:
  /// Errors: those of the table, where it does not even say who is ours.
  static result<local_recipients> of(const header_block& header, const delivery::peer_info& peer,
                                     const routing_table& routes, mailbox::file_system& disk);

  delivery::header_answer answer() const;

  std::vector<local_box> boxes;
  std::vector<local_recipient> waiting;  ///< In the order of the header.
  std::vector<address> already;
  std::vector<address> unknown;

 private:
  result<std::size_t> box_at(const std::string& path, const address& whose,
                             const header_block& header, mailbox::file_system& disk);
  result<void> add(const address& who, const header_block& header, const routing_table& routes,
                   mailbox::file_system& disk);
  template <class Holds>
  bool all_waiting(Holds holds) const {
    return std::all_of(waiting.begin(), waiting.end(), holds);
  }
  bool is_full_for(const local_recipient& r) const;
};

}  // namespace ima::service
