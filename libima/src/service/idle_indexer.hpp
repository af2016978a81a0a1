#pragma once

#include <ima/mailbox/mailbox.hpp>

#include <chrono>
#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>

namespace ima::service {

/// Makes mailboxes searchable while nobody uses them (docs/mailbox.md section 9), so that a search
/// need not, and then lets them rest. One thread, a few messages at a time, at work at most half of
/// the time; it runs once a mailbox was used. Thread-safe.
class idle_indexer {
 public:
  /// A mailbox is idle when it was not used for `rest`.
  explicit idle_indexer(std::chrono::milliseconds rest) : rest_(rest) {}
  idle_indexer(const idle_indexer&) = delete;
  idle_indexer& operator=(const idle_indexer&) = delete;
  ~idle_indexer();

  /// The mailbox is being used. It is kept until all that is in it can be searched; then its files
  /// are closed.
  void used(const std::shared_ptr<mailbox::mailbox>& mail);

 private:
  using clock = std::chrono::steady_clock;
  struct candidate {
    std::shared_ptr<mailbox::mailbox> mail;
    clock::time_point due;  // when it has rested
    bool ready = false;     // in ready_, not in resting_
  };
  using candidates = std::list<candidate>;

  void ensure_thread();
  void work();
  void work_on_next(std::unique_lock<std::mutex>& guard);
  void collect_ready();
  std::shared_ptr<mailbox::mailbox> put_back(const mailbox::mailbox* which, bool finished);

  const std::chrono::milliseconds rest_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  candidates resting_;  // used last stands last
  candidates ready_;    // take turns
  std::unordered_map<const mailbox::mailbox*, candidates::iterator> places_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace ima::service
