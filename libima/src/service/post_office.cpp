#include "service/mailbox_account.hpp"
#include "support/try.hpp"

#include <ima/service/post_office.hpp>

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

namespace ima::service {

namespace {

// One mailbox and its opening: whoever waits for it keeps nobody else from his.
struct shared_mailbox {
  std::mutex mutex;
  // Guarded by mutex:
  std::weak_ptr<mailbox::mailbox> mail;
  bool busy = false;  // its lock could not be had when it was opened last
};

}  // namespace

struct post_office::state {
  state(mailbox::file_system& d, user_directory& u, post_office_options o)
      : disk(d),
        users(u),
        options(std::move(o)),
        indexer(options.idle),
        changes(d, options.watch_interval,
                [this](const std::shared_ptr<mailbox::mailbox>& mail) { indexer.used(mail); }) {}

  std::shared_ptr<shared_mailbox> find(const std::string& path);
  result<std::unique_ptr<retrieval::account>> open(proved_user user, const std::string& path);

  mailbox::file_system& disk;
  user_directory& users;
  post_office_options options;
  submissions sent;
  std::mutex mutex;
  std::map<std::string, std::shared_ptr<shared_mailbox>> mailboxes;  // guarded by mutex
  idle_indexer indexer;                                              // outlives who tells it
  change_hub changes;
};

std::shared_ptr<shared_mailbox> post_office::state::find(const std::string& path) {
  const std::scoped_lock guard(mutex);
  std::shared_ptr<shared_mailbox>& known = mailboxes[path];
  if (!known) known = std::make_shared<shared_mailbox>();
  return known;
}

// Opening happens under the mailbox's own lock: two connections at once must not follow one journal
// twice, and a long journal must not keep other users waiting.
result<std::unique_ptr<retrieval::account>> post_office::state::open(proved_user user,
                                                                     const std::string& path) {
  const auto known = find(path);
  const std::scoped_lock guard(known->mutex);
  std::shared_ptr<mailbox::mailbox> mail = known->mail.lock();
  if (!mail) {
    mailbox::options how{.index = {}, .log = options.log, .wait_to_open = !known->busy};
    if (!options.indexes.empty()) how.index = mailbox::index_in(options.indexes, path);
    auto opened = mailbox::mailbox::open(disk, path, std::move(how));
    known->busy = !opened && opened.error().rule == "mailbox-busy";
    if (!opened) return opened.error();
    mail = std::make_shared<mailbox::mailbox>(std::move(*opened));
    known->mail = mail;
  }
  return make_account({users, changes, sent, indexer, options.sender, options.bounds.folders},
                      std::move(user), path, std::move(mail));
}

result<void> user_directory::change_password(std::string_view, octets, octets) {
  return retrieval::refusal(retrieval::reason::unsupported, "passwords are not changed here");
}

bool user_directory::admits(std::string_view, const std::string&,
                            const std::optional<retrieval::certificate_facts>&) {
  return true;
}

std::vector<address> user_directory::addresses_of(std::string_view) const { return {}; }

bool user_directory::may_send_from(std::string_view user, const address& from) const {
  const auto own = addresses_of(user);
  return std::ranges::find(own, from) != own.end();
}

post_office::post_office(mailbox::file_system& disk, user_directory& users,
                         post_office_options options)
    : state_(std::make_unique<state>(disk, users, std::move(options))) {}
post_office::~post_office() = default;

std::vector<std::string_view> post_office::capabilities() const {
  namespace word = retrieval::capability;
  std::vector<std::string_view> words{word::folders, word::append,   word::search,
                                      word::quota,   word::password, word::watch};
  if (state_->options.sender != nullptr) words.push_back(word::send);
  if (state_->options.queue) words.push_back(word::queue);
  return words;
}

result<std::unique_ptr<retrieval::account>> post_office::by_password(std::string_view user,
                                                                     octets password) {
  IMA_TRY(path, state_->users.by_password(user, password));
  return state_->open({std::string(user), std::nullopt}, path);
}

result<std::unique_ptr<retrieval::account>> post_office::by_certificate(
    std::string_view user, const retrieval::certificate_facts& facts) {
  IMA_TRY(path, state_->users.by_certificate(user, facts));
  return state_->open({std::string(user), facts}, path);
}

result<std::unique_ptr<retrieval::account>> post_office::open(const std::string& path) {
  return state_->open({}, path);
}

result<std::unique_ptr<retrieval::account>> post_office::open(
    std::string_view user, const std::string& path,
    std::optional<retrieval::certificate_facts> facts) {
  return state_->open({std::string(user), std::move(facts)}, path);
}

}  // namespace ima::service
