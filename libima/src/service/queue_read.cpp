#include "message/no_limits.hpp"
#include "message/recipient_hosts.hpp"
#include "service/queue_record.hpp"
#include "service/queue_state.hpp"
#include "support/try.hpp"

#include <ima/digest.hpp>

#include <algorithm>
#include <cstdint>
#include <utility>

// What is read of an entry, however little of it the disk kept (docs/queue.md section 3).

namespace ima::service {
namespace {

namespace rec = queue_record;

constexpr std::size_t step = 64 * 1024;

// Up to the blank line, or all where there is none.
result<std::string> read_header_text(const mailbox::file& message) {
  std::string text;
  std::size_t end = std::string::npos;
  for (std::size_t count = step; count == step && end == std::string::npos;) {
    const std::size_t at = text.size();
    text.resize(at + step);
    IMA_TRY(got, message.read_at(at, std::span(text).subspan(at)));
    text.resize(at + got);
    end = text.find("\n\n", at == 0 ? 0 : at - 1);
    count = got;
  }
  if (end != std::string::npos) text.resize(end + 2);
  return text;
}

}  // namespace

result<bool> queue::state::has(std::string_view id) const {
  IMA_TRY(there, disk.status(entry(id)));
  return there.has_value();
}

result<bool> queue::state::is_at(const mailbox::file& open, const std::string& name) const {
  IMA_TRY(opened, open.identity());
  IMA_TRY(now, disk.status(name));
  return now && now->identity == opened;
}

result<std::optional<header_block>> queue::state::kept_header(std::string_view id) const {
  const std::optional<header_block> nothing;
  auto message = disk.open(file(id, "_message"));
  if (!message && message.error().rule != "file-missing") return std::move(message).error();
  if (!message) {
    IMA_TRY(there, has(id));
    if (!there) return no_such_message(id);
    return nothing;
  }
  IMA_TRY(text, read_header_text(**message));
  if (digest::of(text).hex() != id) return nothing;
  auto header = header_block::parse(text, no_message_limits());
  if (!header) return nothing;
  return std::optional(*std::move(header));
}

result<queued_message> queue::state::about(std::string_view id,
                                           const std::optional<header_block>& header) const {
  queued_message out;
  out.id = id;
  auto lines = disk.open(file(id, "_entry"));
  if (!lines && lines.error().rule != "file-missing") return std::move(lines).error();
  if (lines) {
    IMA_TRY(text, rec::read_all(**lines));
    rec::read_lines(text, [&](std::string_view line) { rec::apply(out, line); });
  }
  if (header) {
    out.originator = header->originator().text();
    out.automatic = header->first("auto").has_value();
  }
  if (out.created == std::chrono::sys_seconds{}) {
    IMA_TRY(message, disk.status(file(id, "_message")));
    if (message) out.created = std::chrono::floor<std::chrono::seconds>(message->changed);
  }
  IMA_TRY(there, has(id));
  if (!there) return no_such_message(id);
  if (out.originator.empty()) return damaged_message(id, "nothing in it says who sends it");
  return out;
}

result<std::vector<std::string>> queue::state::hosts_of(
    std::string_view id, const std::optional<header_block>& header) const {
  if (header) return recipient_hosts(*header);
  auto names = names_in(entry(id));
  if (!names && names.error().rule == "file-missing") return no_such_message(id);
  if (!names) return std::move(names).error();
  std::erase_if(*names, [](const std::string& name) { return name.starts_with('_'); });
  std::sort(names->begin(), names->end());
  if (names->empty()) return damaged_message(id, "nothing in it says who its recipients are");
  return names;
}

result<queued_host> queue::state::read_host(std::string_view id, std::string_view host,
                                            std::span<const address> recipients) const {
  auto open = disk.open(file(id, host));
  if (!open && open.error().rule == "file-missing") return rec::untried(host, recipients);
  if (!open) return std::move(open).error();
  return rec::read_host(**open, host, recipients);
}

result<std::unique_ptr<mailbox::file>> queue::state::open_host(std::string_view id,
                                                               std::string_view host) const {
  const std::string name = file(id, host);
  IMA_TRY(there, disk.status(name));
  auto open = disk.open_append(name);
  if (!open && open.error().rule == "file-missing") return std::unique_ptr<mailbox::file>();
  if (open && !there) IMA_CHECK(disk.sync_directory(entry(id)));
  return open;
}

}  // namespace ima::service
