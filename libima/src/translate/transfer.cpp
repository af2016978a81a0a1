#include "support/try.hpp"
#include "translate/item.hpp"
#include "translate/watched_source.hpp"

#include <ima/mailbox/file_system.hpp>
#include <ima/translate/message_to_mime.hpp>
#include <ima/translate/transfer.hpp>

#include <algorithm>
#include <deque>
#include <filesystem>
#include <future>
#include <string>
#include <utility>

namespace ima::translate {
namespace {

result<std::unique_ptr<item_source>> open_source(const transfer_options& what) {
  switch (what.from) {
    case format::mbox:
      return open_mbox_source(what);
    case format::maildir:
      return open_maildir_source(what);
    case format::mailbox:
      return open_mailbox_source(what);
    case format::eml:
    case format::ima:
      break;
  }
  return open_file_source(what);
}

result<std::unique_ptr<item_target>> open_target(const transfer_options& what) {
  switch (what.to) {
    case format::mbox:
      return open_mbox_target(what);
    case format::maildir:
      return open_maildir_target(what);
    case format::mailbox:
      return open_mailbox_target(what);
    case format::eml:
    case format::ima:
      break;
  }
  return open_file_target(what);
}

void append(std::vector<remark>& into, std::span<const remark> remarks) {
  into.insert(into.end(), remarks.begin(), remarks.end());
}

// Messages that may become durable together, which takes little longer than one alone.
constexpr std::size_t at_once = 16;

struct unfinished {
  transferred outcome;
  std::future<result<bool>> written;  // as item_target::write() gives it
  bool unreadable = false;
};

// What arrived at an unknown time arrives now.
void know_arrival(item& one) {
  if (one.arrived.time_since_epoch().count() <= 0) one.arrived = mailbox::posix_file_system().now();
}

// Errors of one message; others concern every message that follows.
bool concerns_one(const error& problem) {
  return problem.kind == fault::peer ||
         (problem.kind == fault::caller && problem.rule != "transfer-out");
}

class transfer_run {
 public:
  transfer_run(item_source& source, item_target& target, const transfer_report& report)
      : source_(source), target_(target), report_(report) {}

  result<void> run();

 private:
  result<void> take_all();
  void begin(item& one);
  result<void> finish_first();
  result<void> report(const transferred& outcome);

  item_source& source_;
  item_target& target_;
  const transfer_report& report_;
  std::deque<unfinished> waiting_;
  bool written_ = false;  // some message
  bool failed_ = false;   // some message
  bool stopped_ = false;  // by whoever takes the reports
};

// Whatever ends it, what was begun is finished and reported, and what is there is made durable,
// where it can be known for what it is.
result<void> transfer_run::run() {
  auto good = take_all();
  while (!waiting_.empty()) {
    auto more = finish_first();
    if (good && !more) good = std::move(more);
  }
  if (!written_ && (!good || failed_)) return good;
  auto finished = target_.finish(good.has_value());
  return good ? finished : good;
}

result<void> transfer_run::take_all() {
  while (true) {
    IMA_TRY(one, source_.next());
    if (!one) return {};
    know_arrival(*one);
    begin(*one);
    if (waiting_.size() == at_once) IMA_CHECK(finish_first());
  }
}

void transfer_run::begin(item& one) {
  unfinished now{{one.place, std::move(one.remarks), false, std::move(one.problem), one.left_out},
                 {}};
  if (!now.outcome.problem && !one.left_out) {
    auto watched = std::make_unique<watched_source>(std::move(one.octets));
    const watched_source& read = *watched;
    one.octets = std::move(watched);
    now.written = target_.write(one, now.outcome.remarks);
    now.unreadable = read.failed();
  }
  waiting_.push_back(std::move(now));
}

// Waits for the message that was begun first, and reports it.
result<void> transfer_run::finish_first() {
  unfinished first = std::move(waiting_.front());
  waiting_.pop_front();
  if (first.written.valid()) {
    auto written = first.written.get();
    if (!written && !first.unreadable && !concerns_one(written.error())) return written.error();
    if (!written) first.outcome.problem = written.error();
    first.outcome.already = written && !*written;
  }
  if (!first.outcome.left_out) (first.outcome.problem ? failed_ : written_) = true;
  return report(first.outcome);
}

result<void> transfer_run::report(const transferred& outcome) {
  if (stopped_) return {};
  auto good = report_(outcome);
  stopped_ = !good;
  return good;
}

}  // namespace

std::optional<format> format_of(std::string_view name) noexcept {
  if (name == "eml") return format::eml;
  if (name == "mbox") return format::mbox;
  if (name == "maildir") return format::maildir;
  if (name == "ima") return format::ima;
  if (name == "mailbox") return format::mailbox;
  return std::nullopt;
}

std::future<result<bool>> done(result<bool> written) {
  std::promise<result<bool>> made;
  made.set_value(std::move(written));
  return made.get_future();
}

result<void> copy_octets(body_source& from, std::uint64_t begin, std::uint64_t end,
                         const octet_writer& take) {
  std::string piece(64 * 1024, '\0');
  while (begin < end) {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), end - begin));
    IMA_CHECK(from.read_at(begin, piece.data(), count));
    IMA_CHECK(take(octets(piece.data(), count)));
    begin += count;
  }
  return {};
}

result<void> write_mail(item& one, const limits& bounds, std::vector<remark>& remarks,
                        const octet_writer& take) {
  if (!one.header) return copy_octets(*one.octets, 0, one.size, take);
  IMA_TRY(made, message_to_mime::translate(*one.header, *one.octets, bounds));
  append(remarks, made.remarks());
  return made.write(take);
}

result<void> write_message(item& one, const limits& bounds, std::vector<remark>& remarks,
                           const std::function<result<void>(const header_block&)>& begin,
                           const octet_writer& take) {
  if (one.header) {
    IMA_CHECK(begin(*one.header));
    return copy_octets(*one.octets, 0, one.size, take);
  }
  IMA_TRY(made, mime_to_message::translate(*one.octets, one.size, bounds));
  append(remarks, made.remarks());
  IMA_CHECK(begin(made.header()));
  return made.write_body(take);
}

result<digest> identity_of(item& one) {
  if (one.header) return one.header->id_digest();
  hasher hash;
  IMA_CHECK(copy_octets(*one.octets, 0, one.size, [&](octets piece) -> result<void> {
    hash.update(piece);
    return {};
  }));
  return hash.finish();
}

// Reading a place while it is written to would find what was just written.
result<void> check_apart(const transfer_options& what) {
  std::error_code unknown;
  if (what.in == "-" || what.out == "-" || !std::filesystem::equivalent(what.in, what.out, unknown))
    return {};
  return error{fault::caller, "transfer-out", what.out, "is where the messages come from"};
}

result<void> transfer(const transfer_options& what, const transfer_report& report) {
  IMA_CHECK(check_apart(what));
  IMA_TRY(source, open_source(what));
  IMA_TRY(target, open_target(what));
  return transfer_run(*source, *target, report).run();
}

}  // namespace ima::translate
