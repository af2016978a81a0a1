#include "service/submissions.hpp"

#include "service/spool.hpp"
#include "support/try.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

namespace ima::service {

namespace {

using retrieval::reason;
using retrieval::refusal;
using retrieval::send_end;
using retrieval::send_options;
using retrieval::send_verdict;

class spooled_body : public body_source {
 public:
  explicit spooled_body(const spool& octets) : octets_(octets) {}
  result<void> read_at(std::uint64_t offset, char* buffer, std::size_t size) override {
    while (size > 0) {
      IMA_TRY(count, octets_.read_at(offset, buffer, size));
      if (count == 0) return error{fault::temporary, "storage", "spool", "it is too short"};
      offset += count;
      buffer += count;
      size -= count;
    }
    return {};
  }

 private:
  const spool& octets_;
};

class known_submission : public retrieval::submission {
 public:
  explicit known_submission(report r) : report_(std::move(r)) {}
  const report* known() const noexcept override { return &report_; }
  result<void> write(const part_slice&) override { return over(); }
  result<send_end> finish(const tell_outcome&, const tell_note&) override { return over(); }

 private:
  static error over() { return {fault::caller, "out-of-turn", "", "the message was sent before"}; }
  report report_;
};

// Ends the run of a message, however it ends.
class running {
 public:
  running(submissions& all, submissions::key what) : all_(&all), what_(std::move(what)) {}
  running(running&& other) noexcept
      : all_(std::exchange(other.all_, nullptr)), what_(std::move(other.what_)) {}
  running& operator=(running&&) = delete;
  ~running() {
    if (all_ != nullptr) all_->end(what_);
  }
  void remember(const retrieval::submission::report& report) { all_->remember(what_, report); }

 private:
  submissions* all_;
  submissions::key what_;
};

class mailbox_submission : public retrieval::submission {
 public:
  mailbox_submission(running r, mail_submitter& sender, std::shared_ptr<mailbox::mailbox> mail,
                     send_options options, header_block header, spool octets)
      : running_(std::move(r)),
        sender_(sender),
        mail_(std::move(mail)),
        options_(std::move(options)),
        header_(std::move(header)),
        octets_(std::move(octets)) {}

  // The copy is written while the message comes, and thrown away where it is not sent.
  result<void> begin_copy() {
    if (options_.save.empty()) return {};
    IMA_TRY(there, mail_->find(options_.save, header_.id_digest()));
    if (there) {
      saved_ = there->id;  // an earlier attempt stored it
      return {};
    }
    mailbox::record note;
    note.received.at = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    note.folder = options_.save;
    note.flags = {"seen"};
    IMA_TRY(begun, mail_->append(header_, note));
    copy_.emplace(std::move(begun));
    return {};
  }

  result<void> write(const part_slice& slice) override {
    IMA_CHECK(octets_.append(slice.bytes()));
    return copy_ ? copy_->write(slice) : result<void>();
  }

  result<send_end> finish(const tell_outcome& outcome, const tell_note& note) override {
    spooled_body body(octets_);
    report all;
    IMA_TRY(verdict, sender_.send(
                         header_, body,
                         [&](const retrieval::recipient_outcome& o) {
                           all.outcomes.push_back(o);
                           outcome(o);
                         },
                         note));
    all.end.what = verdict;
    if (verdict == send_verdict::refused || verdict == send_verdict::deferred) return all.end;
    if (auto kept = keep(); !kept) note("", "not saved: " + std::string(kept.error().rule));
    if (auto marked = mark(); !marked) note("", "not marked: " + std::string(marked.error().rule));
    all.end.saved = saved_;
    if (is_settled(all)) running_.remember(all);
    return all.end;
  }

 private:
  // A recipient who may take it later can be tried again; who has it does not get it twice.
  static bool is_settled(const report& all) {
    return std::ranges::none_of(all.outcomes, [](const retrieval::recipient_outcome& o) {
      return o.what == retrieval::recipient_outcome::kind::defer;
    });
  }

  result<void> keep() {
    if (!copy_) return {};
    IMA_TRY(stored, copy_->commit());
    saved_ = stored.id;
    return {};
  }

  result<void> mark() {
    IMA_CHECK(mark(options_.answered, "answered"));
    return mark(options_.forwarded, "forwarded");
  }

  result<void> mark(const std::vector<retrieval::message_reference>& messages,
                    std::string_view flag) {
    for (const auto& m : messages)
      IMA_CHECK(mail_->set_flags(m.folder, std::span(&m.id, 1), {{std::string(flag)}, {}, {}}));
    return {};
  }

  running running_;
  mail_submitter& sender_;
  std::shared_ptr<mailbox::mailbox> mail_;
  send_options options_;
  header_block header_;
  spool octets_;
  std::optional<mailbox::appending> copy_;
  std::string saved_;
};

result<void> check_messages(mailbox::mailbox& mail,
                            const std::vector<retrieval::message_reference>& messages) {
  for (const auto& m : messages) {
    IMA_TRY(found, mail.find(m.folder, m.id));
    if (!found) return refusal(reason::no_message, "a message that is to be marked is not there");
  }
  return {};
}

}  // namespace

result<std::vector<retrieval::queued_message>> mail_submitter::queued(const std::vector<address>&) {
  return refusal(reason::unsupported, "this post office has no queue");
}

bool submissions::begin(const key& what) {
  const std::scoped_lock guard(mutex_);
  return running_.insert(what).second;
}

void submissions::end(const key& what) {
  const std::scoped_lock guard(mutex_);
  running_.erase(what);
}

void submissions::remember(const key& what, const retrieval::submission::report& report) {
  const std::scoped_lock guard(mutex_);
  const auto [at, fresh] = known_.try_emplace(what);
  if (fresh) order_.push_back(what);
  known_message& known = at->second;
  remembered_ -= fresh ? 0 : known.weight();
  for (const auto& each : report.outcomes)
    known.outcomes.insert_or_assign(each.recipient.key(), each);
  if (!report.end.saved.empty()) known.saved = report.end.saved;
  remembered_ += known.weight();
  while (remembered_ > most_remembered) forget_oldest();
}

void submissions::forget_oldest() {
  const auto oldest = known_.find(order_.front());
  remembered_ -= oldest->second.weight();
  known_.erase(oldest);
  order_.pop_front();
}

std::optional<retrieval::submission::report> submissions::find(
    const key& what, std::span<const address> recipients) const {
  const std::scoped_lock guard(mutex_);
  const auto known = known_.find(what);
  if (known == known_.end()) return std::nullopt;
  retrieval::submission::report told;
  for (const address& recipient : recipients) {
    const auto each = known->second.outcomes.find(recipient.key());
    if (each == known->second.outcomes.end()) return std::nullopt;
    told.outcomes.push_back(each->second);
  }
  told.end = {retrieval::verdict_of(told.outcomes), known->second.saved};
  return told.end.what == send_verdict::refused ? std::nullopt : std::optional(std::move(told));
}

result<std::unique_ptr<retrieval::submission>> begin_submission(
    submissions& all, mail_submitter& sender, std::shared_ptr<mailbox::mailbox> mail,
    const submissions::key& what, const send_options& options, const header_block& header) {
  if (auto known = all.find(what, header.recipients()))
    return std::unique_ptr<retrieval::submission>(
        std::make_unique<known_submission>(*std::move(known)));
  if (!all.begin(what)) return refusal(reason::in_progress, "the same message is being sent");
  running run(all, what);
  IMA_CHECK(check_messages(*mail, options.answered));
  IMA_CHECK(check_messages(*mail, options.forwarded));
  IMA_TRY(octets, spool::create());
  auto made = std::make_unique<mailbox_submission>(std::move(run), sender, std::move(mail), options,
                                                   header, std::move(octets));
  IMA_CHECK(made->begin_copy());
  return std::unique_ptr<retrieval::submission>(std::move(made));
}

}  // namespace ima::service
