#include "service/idle_indexer.hpp"

#include "support/thread.hpp"

#include <utility>

namespace ima::service {

namespace {

constexpr std::size_t slice = 32;  // messages; while they are read the mailbox's users wait

}  // namespace

idle_indexer::~idle_indexer() {
  {
    const std::scoped_lock guard(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void idle_indexer::used(const std::shared_ptr<mailbox::mailbox>& mail) {
  const std::scoped_lock guard(mutex_);
  const auto [place, fresh] = places_.try_emplace(mail.get());
  if (fresh)
    place->second = resting_.insert(resting_.end(), {mail, {}});
  else
    resting_.splice(resting_.end(), place->second->ready ? ready_ : resting_, place->second);
  candidate& c = *place->second;
  c.ready = false;
  c.due = clock::now() + rest_;
  ensure_thread();
  if (places_.size() == 1) wake_.notify_one();
}

// Where there is none the next use tries again; a search reads what it needs by itself.
void idle_indexer::ensure_thread() {
  if (thread_.joinable()) return;
  if (auto started = start_thread([this] { work(); })) thread_ = std::move(*started);
}

void idle_indexer::collect_ready() {
  while (!resting_.empty() && resting_.front().due <= clock::now()) {
    resting_.front().ready = true;
    ready_.splice(ready_.end(), resting_, resting_.begin());
  }
}

void idle_indexer::work() {
  std::unique_lock guard(mutex_);
  while (!stopping_) {
    collect_ready();
    if (!ready_.empty())
      work_on_next(guard);
    else if (resting_.empty())
      wake_.wait(guard);
    else
      wake_.wait_until(guard, resting_.front().due);
  }
}

// A mailbox that cannot be read is left to whoever uses it next: he learns why.
void idle_indexer::work_on_next(std::unique_lock<std::mutex>& guard) {
  auto mail = ready_.front().mail;
  guard.unlock();
  const auto began = clock::now();
  const auto all = mail->make_searchable(slice);
  const auto spent = clock::now() - began;
  const mailbox::mailbox* const which = mail.get();
  mail.reset();
  guard.lock();
  auto finished = put_back(which, !all || *all);
  guard.unlock();
  if (finished) finished->rest();  // somebody may watch it, for days
  finished.reset();
  guard.lock();
  const auto until = clock::now() + spent;
  while (!stopping_ && clock::now() < until) wake_.wait_until(guard, until);
}

// The mailbox, where there is nothing more to do for it and nobody used it meanwhile.
std::shared_ptr<mailbox::mailbox> idle_indexer::put_back(const mailbox::mailbox* which,
                                                         bool finished) {
  const auto place = places_.find(which);
  const auto it = place->second;
  if (!it->ready) return nullptr;
  ready_.splice(ready_.end(), ready_, it);
  if (!finished) return nullptr;
  auto mail = std::move(it->mail);
  ready_.erase(it);
  places_.erase(place);
  return mail;
}

}  // namespace ima::service
