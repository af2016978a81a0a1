#include "message/no_limits.hpp"
#include "service/exit_status.hpp"
#include "support/told.hpp"
#include "support/try.hpp"
#include "wire/words.hpp"

#include <ima/mailbox/delivery.hpp>
#include <ima/service/incoming.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <vector>

namespace ima::service {
namespace {

using delivery::verdict;

constexpr std::size_t longest_text = 512;

int exit_for(verdict v) {
  switch (v) {
    case verdict::ok:
      return exit_status::ok;
    case verdict::fail:
      return exit_status::failed;
    case verdict::partial:
      return exit_status::mixed;
    case verdict::defer:
      break;
  }
  return exit_status::deferred;
}

class line_sink : public delivery::reply_sink {
 public:
  explicit line_sink(const line_writer& write) : write_(write) {}
  void result(const delivery::recipient_result& r) override {
    const std::string_view gap = r.text.empty() ? "" : " ";
    const std::lock_guard one_at_a_time(mutex_);
    write_(fmt::format("{} {}{}{}", to_string(r.what), r.recipient.text(), gap,
                       wire::clean_text(r.text, longest_text)));
  }
  void note(std::string_view text) override {
    if (text.empty()) return;
    const std::lock_guard one_at_a_time(mutex_);
    write_(fmt::format("NOTE {}", wire::clean_text(text, longest_text)));
  }

 private:
  const line_writer& write_;
  std::mutex mutex_;
};

// Streams the body through a reader that verifies it again: the file may have changed.
template <class Take>
result<void> stream_body(message_file& message, Take take) {
  body_reader reader(message.header());
  std::vector<char> piece(64 * 1024);
  const std::uint64_t size = message.header().body_size();
  std::uint64_t at = 0;
  octets waiting;
  while (true) {
    IMA_TRY(slice, reader.next(waiting));
    if (slice) {
      IMA_CHECK(take(*slice));
      continue;
    }
    if (reader.complete()) return {};
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), size - at));
    IMA_CHECK(message.read_at(at, piece.data(), count));
    at += count;
    waiting = octets(piece.data(), count);
  }
}

void write_known(const delivery::header_answer& answer, const line_writer& write) {
  for (const address& a : answer.already) write(fmt::format("OK {}", a.text()));
  for (const address& a : answer.unknown) write(fmt::format("NORECIPIENT {}", a.text()));
}

std::string refusal(std::string_view first, const delivery::header_answer& answer) {
  const std::string_view gap = answer.text.empty() ? "" : " ";
  return fmt::format("{} {}{}{}", first, to_string(answer.why), gap,
                     wire::clean_text(answer.text, longest_text));
}

// What a refusal is once the body has come: a remark, and a verdict.
int refuse(const delivery::header_answer& answer, const line_writer& write) {
  write(refusal("NOTE", answer));
  if (answer.what == delivery::header_answer::kind::drop) return exit_status::drop;
  return answer.what == delivery::header_answer::kind::reject ? exit_status::failed
                                                              : exit_status::deferred;
}

}  // namespace

limits limits_once_accepted() noexcept { return no_message_limits(); }

int handle_message(message_file& message, delivery::handler& handler,
                   const delivery::peer_info& peer, const line_writer& write) {
  using kind = delivery::header_answer::kind;
  const auto transaction = handler.open(message.header(), peer);
  const delivery::header_answer answer = transaction->judge();
  write_known(answer, write);
  if (answer.what == kind::verdict) return exit_for(answer.final_verdict);
  if (answer.what != kind::accept) return refuse(answer, write);
  if (auto good = stream_body(message, [&](const part_slice& s) { return transaction->body(s); });
      !good) {
    write(fmt::format("NOTE {}", told(good.error())));
    const fault whose = good.error().kind;
    return whose == fault::peer || whose == fault::refused ? exit_status::failed
                                                           : exit_status::deferred;
  }
  line_sink sink(write);
  const delivery::final_answer end = transaction->finish(sink);
  return end.drop ? exit_status::drop : exit_for(end.what);
}

int check_header(const header_block& header, delivery::handler& handler,
                 const delivery::peer_info& peer, const line_writer& write) {
  using kind = delivery::header_answer::kind;
  const delivery::header_answer answer = handler.open(header, peer)->judge();
  write_known(answer, write);
  switch (answer.what) {
    case kind::accept:
      write("ACCEPT");
      return exit_status::ok;
    case kind::verdict:
      write(to_string(answer.final_verdict));
      return exit_for(answer.final_verdict);
    case kind::reject:
      write(refusal("REJECT", answer));
      return exit_status::failed;
    case kind::drop:
      return exit_status::drop;
    case kind::defer:
      break;
  }
  write(refusal("DEFER", answer));
  return exit_status::deferred;
}

result<void> give_recipient(message_file& message, mailbox::file_system& disk,
                            const std::string& path, std::string_view recipient,
                            const delivery::peer_info& peer) {
  mailbox::target to;
  to.path = path;
  if (recipient.starts_with("./-")) recipient.remove_prefix(2);  // as arguments_for() guards it
  if (!recipient.empty()) {
    IMA_TRY(who, address::parse(recipient));
    to.recipient = who;
    to.note.recipient = who.text();
  }
  to.note.verified_domain = peer.verified_domain;
  to.note.peer = peer.address;
  to.note.tls = peer.tls;
  if (!peer.verified_domain.empty()) to.note.certificate = peer.certificate.hex();
  to.note.received = timestamp{disk.now(), {}};
  IMA_TRY(begun, mailbox::delivery::begin(disk, message.header(), {to}));
  IMA_CHECK(stream_body(message, [&](const part_slice& s) { return begun.write(s); }));
  const auto ends = begun.commit();
  if (!ends.front()) return ends.front().error();
  return {};
}

}  // namespace ima::service
