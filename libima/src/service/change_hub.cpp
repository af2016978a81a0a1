#include "service/change_hub.hpp"

#include "support/thread.hpp"
#include "support/try.hpp"

#include <ima/mailbox/watch.hpp>

#include <algorithm>
#include <map>
#include <utility>

namespace ima::service {

struct change_hub::watcher {
  watcher(std::vector<retrieval::watched_folder> f, watch_calls c)
      : folders(std::move(f)), calls(std::move(c)) {}

  // Called with `mutex` held. False once the watch is over.
  bool goes_on() {
    if (!calls.tell || calls.may_go_on()) return calls.tell != nullptr;
    calls.tell = nullptr;
    calls.over();
    return false;
  }

  std::mutex mutex;  // guards what follows; held while the watcher is told
  std::vector<retrieval::watched_folder> folders;  // each with the state that was told last
  watch_calls calls;                               // `tell` is empty once the watch is over
  bool fresh = true;                               // has not been looked at since it began
};

struct change_hub::watched_mailbox {
  watched_mailbox(mailbox::file_system& disk, std::string where,
                  std::shared_ptr<mailbox::mailbox> what)
      : path(std::move(where)), mail(std::move(what)), watch(disk, path) {}

  // The states of folders, by what was told of them last: asked once for all who were told the
  // same.
  using states = std::map<std::pair<std::string, std::string>, std::string>;

  // True where the mailbox was asked, and not only looked at from outside.
  bool look(const std::vector<std::shared_ptr<watcher>>& all);
  void look(watcher& who, bool changed, states& known) const;
  std::string state_of(const retrieval::watched_folder& folder) const;

  const std::string path;
  const std::shared_ptr<mailbox::mailbox> mail;
  mailbox::watch watch;                            // used by the thread whose turn it is
  bool missed = false;                             // the same: a change that could not be looked at
  std::vector<std::shared_ptr<watcher>> watchers;  // guarded by the hub's mutex
};

class change_hub::watch_handle : public retrieval::subscription {
 public:
  watch_handle(change_hub& hub, std::string path, std::shared_ptr<watcher> who)
      : hub_(hub), path_(std::move(path)), who_(std::move(who)) {}
  ~watch_handle() override {
    {
      const std::scoped_lock guard(who_->mutex);
      who_->calls.tell = nullptr;
    }
    hub_.drop(path_, *who_);
  }

 private:
  change_hub& hub_;
  std::string path_;
  std::shared_ptr<watcher> who_;
};

// A mailbox that cannot be read at the moment is looked at again; whoever asks it for changes
// learns why.
bool change_hub::watched_mailbox::look(const std::vector<std::shared_ptr<watcher>>& all) {
  const auto changed = watch.changed();
  missed = missed || !changed || *changed;
  const bool now = missed;
  if (missed) missed = !mail->take_in();
  if (missed) return true;
  states known;
  for (const auto& who : all) look(*who, now, known);
  return now || !known.empty();
}

void change_hub::watched_mailbox::look(watcher& who, bool changed, states& known) const {
  const std::scoped_lock guard(who.mutex);
  if (!who.goes_on() || !(changed || std::exchange(who.fresh, false))) return;
  for (retrieval::watched_folder& folder : who.folders) {
    const auto [place, fresh] = known.try_emplace({folder.folder, folder.token});
    if (fresh) place->second = state_of(folder);
    if (place->second == folder.token) continue;
    folder.token = place->second;
    who.calls.tell(folder);
  }
}

// The token that was told last, where nothing has changed in the folder since. A folder that is
// gone is told once, with the token from which everything is asked anew; so who has that token is
// told of a folder that is there also where it is empty.
std::string change_hub::watched_mailbox::state_of(const retrieval::watched_folder& folder) const {
  const auto page = mail->changes(folder.folder, folder.token, 1);
  const bool first = folder.token == retrieval::first_token;
  if (page && page->entries.empty() && !page->more && !first) return folder.token;
  auto now = mail->status(folder.folder);
  return now ? std::move(now->token) : std::string(retrieval::first_token);
}

change_hub::~change_hub() {
  {
    const std::scoped_lock guard(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& t : threads_) t.join();
}

// One can do the work of all.
result<void> change_hub::ensure_threads(std::size_t mailboxes) {
  if (threads_.size() >= std::min(most_threads_, mailboxes)) return {};
  auto started = start_thread([this] { work(); });
  if (started)
    threads_.push_back(std::move(*started));
  else if (threads_.empty())
    return std::move(started).error();
  return {};
}

result<std::unique_ptr<retrieval::subscription>> change_hub::subscribe(
    const std::string& path, std::shared_ptr<mailbox::mailbox> mail,
    std::vector<retrieval::watched_folder> folders, watch_calls calls) {
  auto who = std::make_shared<watcher>(std::move(folders), std::move(calls));
  const std::scoped_lock guard(mutex_);
  IMA_CHECK(ensure_threads(mailboxes_.size() + 1 - mailboxes_.count(path)));
  auto& known = mailboxes_[path];
  if (!known) {
    known = std::make_shared<watched_mailbox>(disk_, path, std::move(mail));
    due_.emplace(clock::now(), known);
  }
  known->watchers.push_back(who);
  wake_.notify_one();
  return std::unique_ptr<retrieval::subscription>(
      std::make_unique<watch_handle>(*this, path, std::move(who)));
}

void change_hub::drop(const std::string& path, const watcher& who) {
  const std::scoped_lock guard(mutex_);
  const auto found = mailboxes_.find(path);
  if (found == mailboxes_.end()) return;
  auto& watchers = found->second->watchers;
  std::erase_if(watchers, [&](const auto& w) { return w.get() == &who; });
  if (watchers.empty()) mailboxes_.erase(found);  // its turn comes once more, and no more
}

// Takes the mailbox whose turn is first, looks at it, and gives it its next turn.
void change_hub::work() {
  std::unique_lock guard(mutex_);
  while (!stopping_) {
    if (due_.empty()) {
      wake_.wait(guard);
      continue;
    }
    const auto first = due_.begin();
    if (first->first > clock::now()) {
      wake_.wait_until(guard, first->first);
      continue;
    }
    const auto mailbox = first->second;
    due_.erase(first);
    const auto known = mailboxes_.find(mailbox->path);
    if (known == mailboxes_.end() || known->second != mailbox) continue;
    const auto watchers = mailbox->watchers;
    guard.unlock();
    if (mailbox->look(watchers)) used_(mailbox->mail);
    guard.lock();
    due_.emplace(clock::now() + interval_, mailbox);
  }
}

}  // namespace ima::service
