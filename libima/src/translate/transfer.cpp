#include "support/try.hpp"
#include "translate/item.hpp"

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
};

// Errors of one message; others concern every message that follows.
bool concerns_one(const error& problem) {
  return problem.kind == fault::peer || problem.rule == "no-input";
}

// Waits for the message that was begun first, and reports it.
result<void> finish_first(std::deque<unfinished>& waiting,
                          const std::function<void(const transferred&)>& report) {
  unfinished first = std::move(waiting.front());
  waiting.pop_front();
  if (first.written.valid()) {
    auto written = first.written.get();
    if (!written && !concerns_one(written.error())) return written.error();
    if (!written) first.outcome.problem = written.error();
    first.outcome.already = written && !*written;
  }
  report(first.outcome);
  return {};
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

result<void> transfer(const transfer_options& what,
                      const std::function<void(const transferred&)>& report) {
  IMA_CHECK(check_apart(what));
  IMA_TRY(source, open_source(what));
  IMA_TRY(target, open_target(what));
  std::deque<unfinished> waiting;
  while (true) {
    IMA_TRY(one, source->next());
    if (!one) break;
    unfinished now{{one->place, {}, false, std::move(one->problem)}, {}};
    if (!now.outcome.problem) now.written = target->write(*one, now.outcome.remarks);
    waiting.push_back(std::move(now));
    if (waiting.size() == at_once) IMA_CHECK(finish_first(waiting, report));
  }
  while (!waiting.empty()) IMA_CHECK(finish_first(waiting, report));
  return target->finish();
}

}  // namespace ima::translate
