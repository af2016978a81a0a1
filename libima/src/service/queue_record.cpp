#include "service/queue_record.hpp"

#include "support/try.hpp"
#include "wire/words.hpp"

#include <ima/date.hpp>
#include <ima/digest.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

namespace ima::service::queue_record {
namespace {

using delivery::outcome;

constexpr std::size_t checksum_size = 16;
constexpr std::size_t longest_text = 512;

std::string checksum(std::string_view text) {
  return digest::of(text).hex().substr(0, checksum_size);
}

std::optional<outcome> outcome_from(std::string_view word) {
  for (const outcome o : {outcome::ok, outcome::fail, outcome::defer, outcome::no_recipient})
    if (to_string(o) == word) return o;
  return std::nullopt;
}

// Text for people at the end of a line, where there is any.
std::string last_field(std::string_view text) {
  return text.empty() ? "" : " " + wire::clean_text(text, longest_text);
}

void apply_recipient(queued_host& host, std::string_view text) {
  if (auto whose = address::parse(text)) host.results.push_back({*whose, outcome::defer, ""});
}

// A moment that was written by this module; the beginning of time where it was not.
std::chrono::sys_seconds moment(std::string_view text) {
  const auto parsed = timestamp::parse(text);
  return parsed ? parsed->at : std::chrono::sys_seconds{};
}

void apply_result(queued_host& host, std::string_view rest) {
  const auto what = outcome_from(wire::take_up_to(rest, ' '));
  const auto whose = address::parse(wire::take_up_to(rest, ' '));
  if (!what || !whose) return;
  for (auto& r : host.results)
    if (r.recipient == *whose) r = {*whose, *what, std::string(rest)};
}

void apply(queued_host& host, std::string_view text) {
  const std::string_view word = wire::take_up_to(text, ' ');
  if (word == "result") {
    apply_result(host, text);
  } else if (word == "try") {
    host.changed = moment(wire::take_up_to(text, ' '));
    host.next = moment(wire::take_up_to(text, ' '));
    host.problem = text;
    ++host.tries;
    host.hurried = false;
  } else if (word == "due") {
    host.next = moment(text);
    host.hurried = true;
  } else if (word == "reported") {
    host.reported = true;
  }
}

}  // namespace

std::string date(std::chrono::sys_seconds t) { return timestamp{t, {}}.text(); }

std::string line(std::string_view text) { return fmt::format("{} {}\n", checksum(text), text); }

std::uint64_t read_lines(octets file, const std::function<void(std::string_view)>& take) {
  const std::size_t size = file.size();
  for (std::size_t end = 0; (end = file.find('\n')) != octets::npos; file.remove_prefix(end + 1)) {
    if (end <= checksum_size || file[checksum_size] != ' ') continue;
    const std::string_view text = file.substr(checksum_size + 1, end - checksum_size - 1);
    if (file.substr(0, checksum_size) == checksum(text)) take(text);
  }
  return size - file.size();
}

result<std::string> read_all(const mailbox::file& file) {
  IMA_TRY(size, file.size());
  std::string text(static_cast<std::size_t>(size), '\0');
  IMA_TRY(count, file.read_at(0, text));
  text.resize(count);
  return text;
}

queued_host untried(std::string_view host, std::span<const address> recipients) {
  queued_host h{std::string(host), {}, 0, {}, {}, "", false};
  for (const address& a : recipients)
    if (a.host() == host) h.results.push_back({a, outcome::defer, ""});
  return h;
}

result<queued_host> read_host(const mailbox::file& file, std::string_view host,
                              std::span<const address> recipients) {
  IMA_TRY(text, read_all(file));
  queued_host h = untried(host, recipients);
  read_lines(text, [&](std::string_view line) {
    constexpr std::string_view names_one = "recipient ";
    if (!line.starts_with(names_one)) return apply(h, line);
    if (recipients.empty()) apply_recipient(h, line.substr(names_one.size()));
  });
  return h;
}

void apply(queued_message& message, std::string_view text) {
  const std::string_view word = wire::take_up_to(text, ' ');
  if (word == "created") {
    message.created = moment(wire::take_up_to(text, ' '));
    message.originator = text;
  } else if (word == "automatic") {
    message.automatic = true;
  } else if (word == "hold" || word == "release") {
    message.held = word == "hold";
  }
}

std::string recipient_line(const address& recipient) {
  return line(fmt::format("recipient {}", recipient.text()));
}

std::string result_line(const delivery::recipient_result& r) {
  return line(
      fmt::format("result {} {}{}", to_string(r.what), r.recipient.text(), last_field(r.text)));
}

std::string try_line(std::chrono::sys_seconds now, std::chrono::sys_seconds next,
                     std::string_view problem) {
  return line(fmt::format("try {} {}{}", date(now), date(next), last_field(problem)));
}

}  // namespace ima::service::queue_record
