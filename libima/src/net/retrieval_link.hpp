#pragma once

#include "net/asio.hpp"
#include "net/connection.hpp"

#include <ima/body_source.hpp>
#include <ima/header.hpp>
#include <ima/net/retrieval_client.hpp>
#include <ima/retrieval/client.hpp>
#include <ima/tls/context.hpp>

#include <chrono>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace ima::net {

/// What an answer brought before its last line.
struct retrieval_answer {
  std::vector<retrieval::folder_info> folders;
  std::vector<retrieval::change> changes;
  /// The messages that something was not done to, in the order of the request.
  std::vector<std::pair<std::string, retrieval::message_outcome>> exceptions;
  /// The messages that were copied, with their copies' ids, in the order of the request.
  std::vector<std::pair<std::string, std::string>> copies;
  std::vector<std::string> hits;
  std::vector<retrieval::queued_message> queued;
  std::uint64_t octets = 0;  ///< Of a part, that were passed on.
  bool accepted = false;     ///< The header block; the body is due.
};

/// Whom an answer is passed on to as it comes; each may be null where the request does not bring
/// its kind.
struct retrieval_listener {
  const retrieval_client::take_header* header = nullptr;
  const retrieval_client::take_octets* octets = nullptr;
  const retrieval_client::sending* sending = nullptr;
};

/// A message that a request brings.
struct outgoing_message {
  const header_block& header;
  body_source& body;
  std::vector<bool> had;  ///< Which of its parts the post office has already; shorter where none.
};

/// A user's connection to his post office, driven on an event loop of its own that runs only while
/// a call waits. What ended it is the answer to every later call.
class retrieval_link {
 public:
  explicit retrieval_link(const retrieval_client_options& options);

  /// Finds the host, connects, proves it and takes its greeting.
  result<void> open(const tls::context& tls);
  void set_timeout(std::optional<std::chrono::milliseconds> each) { options_.timeout = each; }
  /// As long as it lives, the time-out bounds all that is asked together; at most one does.
  class one_call {
   public:
    explicit one_call(retrieval_link& link) : link_(link) { link.until_ = link.deadline(); }
    one_call(const one_call&) = delete;
    one_call& operator=(const one_call&) = delete;
    ~one_call() { link_.until_.reset(); }

   private:
    retrieval_link& link_;
  };

  /// To make requests with; ask() sends them.
  retrieval::client& session() { return session_; }
  /// Sends what was asked, and collects what comes into answer() until its last line is there. An
  /// error of `asked` is our caller's fault, and nothing was sent.
  result<retrieval::reply::done> ask(result<void> asked, const retrieval_listener& to = {});
  /// The same for a request that brings a message, whose body follows once it is accepted.
  result<retrieval::reply::done> ask(result<void> asked, outgoing_message message,
                                     const retrieval_listener& to = {});
  retrieval_answer& answer() { return answer_; }

  const std::vector<std::string>& capabilities() const { return capabilities_; }

  /// The next folder that changed; nothing where none did by `until`.
  result<std::optional<retrieval::watched_folder>> wait_for_event(
      std::chrono::steady_clock::time_point until);

  /// Says DONE and closes.
  result<void> finish();

 private:
  std::chrono::steady_clock::time_point deadline() const;
  template <class T>
  T wait(awaitable<T> work);
  error give_up(error why);
  awaitable<result<void>> dial_host(const tls::context& tls);
  awaitable<result<void>> take_socket(tcp::socket socket, const tls::context& tls);
  awaitable<result<void>> flush();
  awaitable<result<retrieval::reply::done>> read_answer();
  awaitable<result<retrieval::reply::done>> offer(outgoing_message message);
  awaitable<result<void>> upload(const outgoing_message& message);
  awaitable<result<void>> say_done();
  awaitable<result<void>> read_more();
  void start_reading();
  result<void> take_arrived();
  result<void> take(retrieval::client_event& event);
  result<retrieval::reply::done> conclude(result<retrieval::reply::done> end);
  error lost(const char* how) const;
  error known(error why) const;

  retrieval_client_options options_;
  std::optional<std::chrono::steady_clock::time_point>
      until_;  ///< Of the call of several requests.
  asio::io_context loop_{1};
  retrieval::client session_;
  std::shared_ptr<connection> connection_;
  std::optional<error> broken_;
  std::vector<std::string> capabilities_;
  retrieval_answer answer_;
  retrieval_listener listener_;
  std::deque<retrieval::watched_folder> events_;

  // One read at a time, which may outlast the call that began it.
  bool reading_ = false;
  std::optional<result<octets>> arrived_;
  asio::steady_timer arrival_{loop_, asio::steady_timer::time_point::max()};
};

}  // namespace ima::net
