#pragma once

#include <ima/mailbox/file_system.hpp>
#include <ima/mailbox/mailbox.hpp>
#include <ima/retrieval/backend.hpp>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace ima::service {

/// What a watcher is told, and what it is asked; all on a thread of the hub.
struct watch_calls {
  retrieval::account::tell_change tell;
  std::function<bool()> may_go_on;
  std::function<void()> over;  ///< Once, and nothing after it.
};

/// Tells watchers when folders change. However many watch a mailbox, it is looked at once in each
/// interval (mailbox::watch: two status calls), by one of a few threads; that finds what other
/// hosts do to it, too. The threads run while anything is watched. Thread-safe.
class change_hub {
 public:
  using mailbox_used = std::function<void(const std::shared_ptr<mailbox::mailbox>&)>;

  /// `used` hears of each mailbox that was asked what changed, on a thread of the hub.
  change_hub(mailbox::file_system& disk, std::chrono::milliseconds interval, mailbox_used used,
             std::size_t threads = 4)
      : disk_(disk), interval_(interval), used_(std::move(used)), most_threads_(threads) {}
  change_hub(const change_hub&) = delete;
  change_hub& operator=(const change_hub&) = delete;
  ~change_hub();

  /// The hub outlives the subscription. `path` is where `mail` is. Error: fault::temporary,
  /// `threads`, where not even one thread can be started.
  result<std::unique_ptr<retrieval::subscription>> subscribe(
      const std::string& path, std::shared_ptr<mailbox::mailbox> mail,
      std::vector<retrieval::watched_folder> folders, watch_calls calls);

 private:
  struct watcher;
  struct watched_mailbox;
  class watch_handle;
  using clock = std::chrono::steady_clock;

  result<void> ensure_threads(std::size_t mailboxes);
  void work();
  void drop(const std::string& path, const watcher& who);

  mailbox::file_system& disk_;
  std::chrono::milliseconds interval_;
  mailbox_used used_;
  std::size_t most_threads_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  std::map<std::string, std::shared_ptr<watched_mailbox>> mailboxes_;
  std::multimap<clock::time_point, std::shared_ptr<watched_mailbox>> due_;
  std::vector<std::thread> threads_;
  bool stopping_ = false;
};

}  // namespace ima::service
