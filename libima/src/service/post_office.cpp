#include "support/try.hpp"

#include <ima/service/post_office.hpp>

#include <utility>

namespace ima::service {

namespace {

using retrieval::message_outcome;

// The mailbox knows nothing of the protocol: what is the same in both is named twice and put across
// here. Its rules `no-folder`, `no-message`, `no-part` and `resync` are the protocol's own words.

retrieval::change describe(mailbox::entry e) {
  if (e.gone) return {std::move(e.id), std::nullopt};
  std::string id = e.id;
  return {std::move(id),
          retrieval::entry{std::move(e.id), e.seq, e.size, std::move(e.flags), {e.arrived, {}}}};
}

message_outcome describe(mailbox::outcome o) noexcept {
  switch (o) {
    case mailbox::outcome::done:
      return message_outcome::done;
    case mailbox::outcome::gone:
      return message_outcome::gone;
    case mailbox::outcome::changed:
      break;
  }
  return message_outcome::changed;
}

result<std::vector<message_outcome>> describe(result<std::vector<mailbox::outcome>> outcomes) {
  if (!outcomes) return std::move(outcomes).error();
  std::vector<message_outcome> out;
  out.reserve(outcomes->size());
  for (const mailbox::outcome o : *outcomes) out.push_back(describe(o));
  return out;
}

class stored_part : public retrieval::part_source {
 public:
  explicit stored_part(std::unique_ptr<mailbox::part_source> part) : part_(std::move(part)) {}
  std::uint64_t size() const noexcept override { return part_->size(); }
  result<std::size_t> read_at(std::uint64_t offset, std::span<char> into) override {
    return part_->read_at(offset, into);
  }

 private:
  std::unique_ptr<mailbox::part_source> part_;
};

class mailbox_account : public retrieval::account {
 public:
  explicit mailbox_account(std::shared_ptr<mailbox::mailbox> mail) : mail_(std::move(mail)) {}

  result<std::vector<retrieval::folder_info>> folders() override {
    IMA_TRY(found, mail_->folders());
    std::vector<retrieval::folder_info> list;
    for (mailbox::folder& f : found) list.push_back({std::move(f.name), std::move(f.role)});
    return list;
  }

  result<retrieval::folder_status> status(std::string_view folder) override {
    IMA_CHECK(mail_->take_in());
    IMA_TRY(now, mail_->status(folder));
    return retrieval::folder_status{now.messages, now.unseen, now.size, std::move(now.token)};
  }

  result<retrieval::change_page> changes(std::string_view folder, std::string_view token,
                                         std::uint64_t page) override {
    IMA_CHECK(mail_->take_in());
    IMA_TRY(found, mail_->changes(folder, token, static_cast<std::size_t>(page)));
    retrieval::change_page out{{}, std::move(found.token), found.more};
    out.changes.reserve(found.entries.size());
    for (mailbox::entry& e : found.entries) out.changes.push_back(describe(std::move(e)));
    return out;
  }

  result<std::optional<retrieval::stored_header>> header(std::string_view folder,
                                                         std::string_view id) override {
    IMA_TRY(stored, mail_->header(folder, id));
    if (!stored) return std::optional<retrieval::stored_header>();
    return std::optional(
        retrieval::stored_header{std::string(stored->header.text()), std::move(stored->record)});
  }

  result<std::unique_ptr<retrieval::part_source>> open_part(std::string_view folder,
                                                            std::string_view id,
                                                            std::uint64_t part) override {
    IMA_TRY(opened, mail_->open_part(folder, id, part));
    return std::unique_ptr<retrieval::part_source>(
        std::make_unique<stored_part>(std::move(opened)));
  }

  result<std::vector<message_outcome>> flag(std::string_view folder,
                                            std::span<const std::string> ids,
                                            const retrieval::flag_change& what) override {
    return describe(mail_->set_flags(folder, ids, {what.add, what.remove, what.only_if_seq}));
  }

  result<std::vector<message_outcome>> remove(std::string_view folder,
                                              std::span<const std::string> ids) override {
    return describe(mail_->remove(folder, ids));
  }

  result<std::vector<message_outcome>> move(std::string_view folder, std::string_view target,
                                            std::span<const std::string> ids) override {
    return describe(mail_->move(folder, target, ids));
  }

  result<std::vector<std::string>> copy(std::string_view folder, std::string_view target,
                                        std::span<const std::string> ids) override {
    return mail_->copy(folder, target, ids);
  }

 private:
  std::shared_ptr<mailbox::mailbox> mail_;
};

}  // namespace

result<std::unique_ptr<retrieval::account>> post_office::by_password(std::string_view user,
                                                                     octets password) {
  IMA_TRY(path, users_.by_password(user, password));
  return open(path);
}

result<std::unique_ptr<retrieval::account>> post_office::by_certificate(
    std::string_view user, const retrieval::certificate_facts& facts) {
  IMA_TRY(path, users_.by_certificate(user, facts));
  return open(path);
}

std::shared_ptr<post_office::shared_mailbox> post_office::find(const std::string& path) {
  const std::scoped_lock guard(mutex_);
  std::shared_ptr<shared_mailbox>& known = mailboxes_[path];
  if (!known) known = std::make_shared<shared_mailbox>();
  return known;
}

// Opening happens under the mailbox's own lock: two connections at once must not follow one journal
// twice, and a long journal must not keep other users waiting.
result<std::unique_ptr<retrieval::account>> post_office::open(const std::string& path) {
  const auto known = find(path);
  const std::scoped_lock guard(known->mutex);
  std::shared_ptr<mailbox::mailbox> mail = known->mail.lock();
  if (!mail) {
    IMA_TRY(opened, mailbox::mailbox::open(disk_, path));
    mail = std::make_shared<mailbox::mailbox>(std::move(opened));
    known->mail = mail;
  }
  return std::unique_ptr<retrieval::account>(std::make_unique<mailbox_account>(std::move(mail)));
}

}  // namespace ima::service
