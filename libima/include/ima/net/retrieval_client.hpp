#pragma once

#include <ima/body_source.hpp>
#include <ima/error.hpp>
#include <ima/export.hpp>
#include <ima/header.hpp>
#include <ima/limits.hpp>
#include <ima/net/dns.hpp>
#include <ima/retrieval/sending.hpp>
#include <ima/retrieval/types.hpp>
#include <ima/tls/context.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ima::net {

/// Where a user's post office is, and what a connection to it may take.
struct retrieval_client_options {
  std::string host;  ///< The post office's hostpart; its certificate must prove it.
  /// Where a hostpart is reached ("127.0.0.1:20093"); others are looked up in the DNS.
  std::map<std::string, std::string, std::less<>> hosts;
  dns_options dns;  ///< How a host that is not in `hosts` is looked up.
  /// A name that our client certificate proves, to choose it by; empty for none.
  std::string certificate_name;
  limits bounds;  ///< What the server may send at most, and how long each step may take.
  /// How long connect() may take altogether, beside the limits; see set_timeout().
  std::optional<std::chrono::milliseconds> timeout;
  /// Asked several times a second, on the calling thread, while a call waits for its answer; where
  /// it says true the call, and with it the connection, ends: fault::unknown `interrupted`. May be
  /// empty. wait_for_change() does not ask it: it waits no longer than it is told.
  std::function<bool()> interrupted;
};

/// A user's connection to his post office, each call waiting for its answer (docs/retrieval.md).
/// Movable; one thread at a time. What the post office refuses is fault::refused or
/// fault::temporary, with the word of section 7 as the rule. What a call is given is checked first:
/// fault::caller as of retrieval::client, and nothing was asked. Everything else that goes wrong
/// (network, TLS, a server that breaks the protocol) ends the connection, and every later call
/// returns the same error; where it was lost before the answer came, that is fault::unknown
/// `connection-lost`. So does what a caller's own function throws, which goes back to him. The
/// functions that a call is given are called on its thread, may not call the client, and are not
/// empty.
///
/// A call that names messages may name any number: it makes as many requests as
/// limits::request_line asks for, one after the other. Where one fails, those before it are done.
class IMA_API retrieval_client {
 public:
  /// Connects, proves the server and takes its greeting. Errors: fault::temporary `connection`,
  /// `timeout`, `dns`; fault::refused `no-domain`, `no-service`; fault::caller `dns-server`,
  /// `endpoint` (in options.hosts), `tls-protocol` (the context is not for IMRP); fault::unknown
  /// `interrupted`; those of tls::engine and retrieval::client.
  static result<retrieval_client> connect(const retrieval_client_options& options,
                                          const tls::context& tls);
  retrieval_client(retrieval_client&&) noexcept;
  retrieval_client& operator=(retrieval_client&&) noexcept;
  ~retrieval_client();

  /// How long each later call may take altogether, beside what the limits allow for its steps;
  /// nothing for as long as they allow. A call that takes longer ends the connection:
  /// fault::temporary `timeout`.
  void set_timeout(std::optional<std::chrono::milliseconds> each) noexcept;

  /// By a password. Refusal: `auth`.
  result<void> authenticate(std::string_view user, octets password);
  /// By the client certificate.
  result<void> authenticate(std::string_view user);

  /// All folders.
  result<std::vector<retrieval::folder_info>> folders();
  /// How much is in a folder, and its state. Takes in new mail. Refusal: `no-folder`.
  result<retrieval::folder_status> status(std::string_view folder);
  /// Refusal `resync`: begin again from retrieval::first_token.
  result<retrieval::change_page> changes(std::string_view folder, std::string_view token,
                                         std::uint64_t page);

  /// Takes a message's header block and record, as octets that live during the call. An error it
  /// returns ends the connection.
  using take_header = std::function<result<void>(std::string_view id, octets block, octets record)>;
  /// Calls `take` for each of `ids` that is there, in order.
  result<void> headers(std::string_view folder, std::span<const std::string> ids,
                       const take_header& take);

  /// Takes octets of a part as they come. An error it returns ends the connection.
  using take_octets = std::function<result<void>(octets piece)>;
  /// Streams a part, or a range of it; returns how many octets there were. They are not compared
  /// with the part's `sha256=`. Refusals: `no-folder`, `no-message`, `no-part`, `range`.
  result<std::uint64_t> fetch(std::string_view folder, std::string_view id, std::uint64_t part,
                              const take_octets& take, std::uint64_t offset = 0,
                              std::optional<std::uint64_t> length = {});

  /// Changes flags; one outcome for each id, in order. Refusals: `no-folder`, `limit`.
  result<std::vector<retrieval::message_outcome>> flag(std::string_view folder,
                                                       std::span<const std::string> ids,
                                                       const retrieval::flag_change& what);
  /// Deletes messages for good; one outcome for each id, in order.
  result<std::vector<retrieval::message_outcome>> remove(std::string_view folder,
                                                         std::span<const std::string> ids);
  /// Moves messages, whose ids stay; one outcome for each id, in order.
  result<std::vector<retrieval::message_outcome>> move(std::string_view folder,
                                                       std::string_view target,
                                                       std::span<const std::string> ids);
  /// The copies' ids, in order; empty where the message is not in the folder.
  result<std::vector<std::string>> copy(std::string_view folder, std::string_view target,
                                        std::span<const std::string> ids);

  /// The capabilities that the greeting named (namespace retrieval::capability); they live as long
  /// as the client.
  const std::vector<std::string>& capabilities() const noexcept;
  /// Whether capabilities() has this one.
  bool offers(std::string_view capability) const noexcept;

  /// Refusals: `folder-exists`, `folder-role`, `limit`.
  result<void> create_folder(std::string_view folder, std::string_view role = {});
  /// Renames this folder alone; messages and tokens stay. Refusals: `no-folder`, `folder-exists`,
  /// `folder-in-use`.
  result<void> rename_folder(std::string_view folder, std::string_view target);
  /// Deletes an empty folder. Refusals: `no-folder`, `folder-in-use`.
  result<void> delete_folder(std::string_view folder);
  /// An empty cursor asks for the first page.
  result<retrieval::search_page> search(std::string_view folder, std::string_view cursor,
                                        std::uint64_t page, const retrieval::search_query& query);
  /// What the whole mailbox holds, and may hold.
  result<retrieval::quota_status> quota();
  /// Refusals: `auth` where the old one is wrong, `limit` where the new one is too short.
  result<void> change_password(octets old_password, octets new_password);
  /// What the user sent and waits for its recipients' hosts.
  result<std::vector<retrieval::queued_message>> queue();

  /// Puts a message into a folder; returns its id. `body` holds its parts one after the other and
  /// is read only if the post office accepts the header. An error of `body` ends the connection.
  result<std::string> append(const retrieval::append_target& what, const header_block& header,
                             body_source& body);

  /// What is told while a message is sent, as it comes.
  struct sending {
    /// A recipient's outcome.
    std::function<void(const retrieval::recipient_outcome& outcome)> outcome;
    /// A remark for people, from a stranger; `host` may be empty.
    std::function<void(std::string_view host, std::string_view text)> note;
  };
  /// Sends a message. The parts that `options` names are not read from `body`.
  result<retrieval::send_end> send(const retrieval::send_options& options,
                                   const header_block& header, body_source& body,
                                   const sending& told);

  /// Watches folders, each named once, from the states of their tokens; none ends the watch.
  result<void> watch(std::span<const retrieval::watched_folder> folders);
  /// Waits for a watched folder to change, at most so long; nothing where none did.
  result<std::optional<retrieval::watched_folder>> wait_for_change(
      std::chrono::milliseconds patience);

  /// Says DONE and closes. The destructor just closes.
  result<void> done();

 private:
  struct state;
  explicit retrieval_client(std::unique_ptr<state> s);
  std::unique_ptr<state> state_;
};

}  // namespace ima::net
