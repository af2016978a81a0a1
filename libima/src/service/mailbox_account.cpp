#include "service/mailbox_account.hpp"

#include "support/try.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace ima::service {

namespace {

using retrieval::message_outcome;
using retrieval::reason;
using retrieval::refusal;

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

timestamp now() {
  return {std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()), {}};
}

// A name that the protocol allows and the mailbox does not is malformed.
result<void> describe(result<void> changed) {
  if (changed || changed.error().rule != "folder-name") return changed;
  return refusal(reason::syntax, changed.error().text);
}

std::optional<std::chrono::sys_seconds> moment(const std::optional<timestamp>& time) {
  return time ? std::optional(time->at) : std::nullopt;
}

void add_words(mailbox::query& out, mailbox::search_field field,
               const std::vector<std::string>& texts) {
  for (const std::string& words : texts) out.texts.push_back({words, field, false});
}

// The protocol's bounds of size are included, the mailbox's are not.
mailbox::query describe(const retrieval::search_query& asked) {
  using field = mailbox::search_field;
  mailbox::query out;
  add_words(out, field::sender, asked.from);
  add_words(out, field::recipient, asked.to);
  add_words(out, field::subject, asked.subject);
  add_words(out, field::any, asked.text);
  out.flags = asked.flags;
  out.without_flags = asked.without_flags;
  out.arrived_since = moment(asked.since);
  out.arrived_before = moment(asked.before);
  if (asked.min_size.value_or(0) > 0) out.larger = *asked.min_size - 1;
  if (asked.max_size.value_or(UINT64_MAX) < UINT64_MAX) out.smaller = *asked.max_size + 1;
  return out;
}

class stored_message : public retrieval::message_sink {
 public:
  stored_message(std::shared_ptr<mailbox::mailbox> mail, mailbox::appending begun)
      : mail_(std::move(mail)), begun_(std::move(begun)) {}
  result<void> write(const part_slice& slice) override { return begun_.write(slice); }
  result<std::string> commit() override {
    IMA_TRY(stored, begun_.commit());
    return std::move(stored.id);
  }

 private:
  std::shared_ptr<mailbox::mailbox> mail_;  // outlives what was begun in it
  mailbox::appending begun_;
};

class mailbox_account : public retrieval::account {
 public:
  mailbox_account(office_parts parts, proved_user user, std::string path,
                  std::shared_ptr<mailbox::mailbox> mail)
      : parts_(parts), user_(std::move(user)), path_(std::move(path)), mail_(std::move(mail)) {
    parts_.indexer.used(mail_);
  }

  bool may_go_on() override {
    return user_.name.empty() || parts_.users.admits(user_.name, path_, user_.certificate);
  }

  result<std::vector<retrieval::folder_info>> folders() override {
    IMA_TRY(found, mail().folders());
    std::vector<retrieval::folder_info> list;
    for (mailbox::folder& f : found) list.push_back({std::move(f.name), std::move(f.role)});
    return list;
  }

  result<retrieval::folder_status> status(std::string_view folder) override {
    IMA_CHECK(mail().try_take_in());
    IMA_TRY(now, mail().status(folder));
    return retrieval::folder_status{now.messages, now.unseen, now.size, std::move(now.token)};
  }

  result<retrieval::change_page> changes(std::string_view folder, std::string_view token,
                                         std::uint64_t page) override {
    IMA_CHECK(mail().try_take_in());
    IMA_TRY(found, mail().changes(folder, token, static_cast<std::size_t>(page)));
    retrieval::change_page out{{}, std::move(found.token), found.more};
    out.changes.reserve(found.entries.size());
    for (mailbox::entry& e : found.entries) out.changes.push_back(describe(std::move(e)));
    return out;
  }

  result<std::optional<retrieval::stored_header>> header(std::string_view folder,
                                                         std::string_view id) override {
    IMA_TRY(stored, mail().header(folder, id));
    if (!stored) return std::optional<retrieval::stored_header>();
    return std::optional(
        retrieval::stored_header{std::string(stored->header.text()), std::move(stored->record)});
  }

  result<std::unique_ptr<retrieval::part_source>> open_part(std::string_view folder,
                                                            std::string_view id,
                                                            std::uint64_t part) override {
    IMA_TRY(opened, mail().open_part(folder, id, part));
    return std::unique_ptr<retrieval::part_source>(
        std::make_unique<stored_part>(std::move(opened)));
  }

  result<std::vector<message_outcome>> flag(std::string_view folder,
                                            std::span<const std::string> ids,
                                            const retrieval::flag_change& what) override {
    auto changed = mail().set_flags(folder, ids, {what.add, what.remove, what.only_if_seq});
    if (!changed && changed.error().rule == "flag")
      return refusal(reason::limit, changed.error().text);
    return describe(std::move(changed));
  }

  result<std::vector<message_outcome>> remove(std::string_view folder,
                                              std::span<const std::string> ids) override {
    return describe(mail().remove(folder, ids));
  }

  result<std::vector<message_outcome>> move(std::string_view folder, std::string_view target,
                                            std::span<const std::string> ids) override {
    return describe(mail().move(folder, target, ids));
  }

  result<std::vector<std::string>> copy(std::string_view folder, std::string_view target,
                                        std::span<const std::string> ids) override {
    return mail().copy(folder, target, ids);
  }

  result<void> create_folder(std::string_view folder, std::string_view role) override {
    IMA_TRY(all, mail().folders());
    if (all.size() >= parts_.most_folders)
      return refusal(reason::limit, "there are as many folders as may be");
    return describe(mail().create_folder(folder, role));
  }

  result<void> rename_folder(std::string_view folder, std::string_view target) override {
    return describe(mail().rename_folder(folder, target));
  }

  result<void> delete_folder(std::string_view folder) override {
    return describe(mail().delete_folder(folder));
  }

  result<std::unique_ptr<retrieval::message_sink>> append(const retrieval::append_target& what,
                                                          const header_block& header) override {
    IMA_CHECK(mail().status(what.folder));
    mailbox::record note;
    note.received = what.arrived.value_or(now());
    note.folder = what.folder;
    note.flags = what.flags;
    IMA_TRY(begun, mail().append(header, note));
    return std::unique_ptr<retrieval::message_sink>(
        std::make_unique<stored_message>(mail_, std::move(begun)));
  }

  result<std::unique_ptr<retrieval::submission>> send(const retrieval::send_options& options,
                                                      const header_block& header) override {
    if (parts_.sender == nullptr || user_.name.empty())
      return refusal(reason::unsupported, "nothing can be sent here");
    IMA_CHECK(check_sender(header.from()));
    if (const auto mailer = header.mailer()) IMA_CHECK(check_sender(*mailer));
    if (header.recipients().empty()) return refusal(reason::recipients, "nobody is to get it");
    if (!options.save.empty()) IMA_CHECK(mail().status(options.save));
    return begin_submission(parts_.sent, *parts_.sender, mail_, {path_, header.id_digest()},
                            options, header);
  }

  result<retrieval::search_page> search(std::string_view folder, std::string_view cursor,
                                        std::uint64_t page,
                                        const retrieval::search_query& query) override {
    IMA_CHECK(mail().try_take_in());
    auto found = mail().search(folder, describe(query), cursor, static_cast<std::size_t>(page));
    if (!found && found.error().rule == "search-text")  // it will not help to try again
      return refusal(reason::syntax, found.error().text);
    if (!found) return std::move(found).error();
    retrieval::search_page out{{}, std::move(found->next)};
    for (mailbox::search_hit& hit : found->hits) out.ids.push_back(std::move(hit.message.id));
    return out;
  }

  result<retrieval::quota_status> quota() override {
    IMA_TRY(now, mail().quota());
    const auto most = [](std::uint64_t limit) {
      return limit == 0 ? std::nullopt : std::optional(limit);
    };
    return retrieval::quota_status{now.octets, most(now.limits.octets), now.messages,
                                   most(now.limits.messages)};
  }

  result<void> change_password(octets old_password, octets new_password) override {
    return parts_.users.change_password(user_.name, old_password, new_password);
  }

  result<std::unique_ptr<retrieval::subscription>> watch(
      std::span<const retrieval::watched_folder> folders, tell_change tell,
      std::function<void()> over) override {
    return parts_.changes.subscribe(
        path_, mail_, {folders.begin(), folders.end()},
        {std::move(tell), [this] { return may_go_on(); }, std::move(over)});
  }

  result<std::vector<retrieval::queued_message>> queue() override {
    if (parts_.sender == nullptr) return refusal(reason::unsupported, "nothing can be sent here");
    return parts_.sender->queued(parts_.users.addresses_of(user_.name));
  }

 private:
  // The display name is the user's own business.
  result<void> check_sender(const named_address& sender) const {
    if (parts_.users.may_send_from(user_.name, sender.addr)) return {};
    return refusal(reason::from, std::string(sender.addr.text()) + " is not an address of yours");
  }

  // Whoever asks for it uses it.
  mailbox::mailbox& mail() {
    parts_.indexer.used(mail_);
    return *mail_;
  }

  office_parts parts_;
  proved_user user_;
  std::string path_;
  std::shared_ptr<mailbox::mailbox> mail_;
};

}  // namespace

std::unique_ptr<retrieval::account> make_account(office_parts parts, proved_user user,
                                                 std::string path,
                                                 std::shared_ptr<mailbox::mailbox> mail) {
  return std::make_unique<mailbox_account>(parts, std::move(user), std::move(path),
                                           std::move(mail));
}

}  // namespace ima::service
