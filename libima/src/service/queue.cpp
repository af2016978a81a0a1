#include "service/queue_record.hpp"
#include "service/queue_state.hpp"
#include "support/try.hpp"

#include <ima/service/failure_report.hpp>
#include <ima/service/queue.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace ima::service {
namespace {

namespace rec = queue_record;

error busy(std::string_view id) {
  return {fault::temporary, "queue-busy", std::string(id), "it is being tried at this moment"};
}

}  // namespace

queue::queue(std::unique_ptr<state> s) : state_(std::move(s)) {}
queue::queue(queue&&) noexcept = default;
queue& queue::operator=(queue&&) noexcept = default;
queue::~queue() = default;

mailbox::file_system& queue::disk() const noexcept { return state_->disk; }

result<queue> queue::open(mailbox::file_system& disk, std::string path) {
  auto made = std::make_unique<state>(state{disk, std::move(path)});
  IMA_TRY(ready, made->is_ready());
  if (!ready) IMA_CHECK(made->make_ready());
  return queue(std::move(made));
}

result<queue> queue::open_existing(mailbox::file_system& disk, std::string path) {
  auto made = std::make_unique<state>(state{disk, std::move(path)});
  IMA_TRY(ready, made->is_ready());
  if (!ready) return error{fault::caller, "queue-format", made->path, "there is no queue here"};
  return queue(std::move(made));
}

std::string queue::message_path(std::string_view id) const { return state_->file(id, "_message"); }

result<header_block> queue::header(std::string_view id) const {
  if (!is_message_id(id)) return no_such_message(id);
  IMA_TRY(kept, state_->kept_header(id));
  if (!kept) return damaged_message(id, "the header block is not what was queued");
  return *std::move(kept);
}

result<std::vector<std::string>> queue::ids() const {
  IMA_TRY(names, state_->names_in(state_->path + "/entries"));
  names.erase(
      std::remove_if(names.begin(), names.end(), [](const auto& n) { return !is_message_id(n); }),
      names.end());
  return std::move(names);
}

result<queued_message> queue::read(std::string_view id) const {
  if (!is_message_id(id)) return no_such_message(id);
  IMA_TRY(header, state_->kept_header(id));
  IMA_TRY(out, state_->about(id, header));
  IMA_TRY(hosts, state_->hosts_of(id, header));
  const auto recipients = header ? header->recipients() : std::vector<address>();
  for (const std::string& name : hosts) {
    IMA_TRY(host, state_->read_host(id, name, recipients));
    if (host.next == std::chrono::sys_seconds{})
      host.next = std::min(out.created, state_->disk.now());  // as a clock may have been set back
    out.hosts.push_back(std::move(host));
  }
  return std::move(out);
}

result<std::optional<host_claim>> queue::claim(std::string_view id, std::string_view host) const {
  using claimed = std::optional<host_claim>;
  const auto header = state_->kept_header(id);
  if (!header && header.error().rule == "queue-id") return claimed();
  if (!header) return header.error();
  IMA_TRY(hosts, state_->hosts_of(id, *header));
  if (std::find(hosts.begin(), hosts.end(), host) == hosts.end()) return claimed();
  IMA_TRY(file, state_->open_host(id, host));
  if (!file) return claimed();
  IMA_TRY(mine, file->try_lock());
  if (!mine) return claimed();
  IMA_TRY(there, state_->is_at(*file, state_->file(id, host)));
  if (!there) return claimed();  // it was removed before it was locked
  auto recipients = *header ? (*header)->recipients() : std::vector<address>();
  auto c = std::make_unique<host_claim::content>(
      host_claim::content{state_->disk, std::string(id), std::move(file), std::move(recipients),
                          rec::untried(host, {})});
  IMA_CHECK(c->reread());
  return claimed(host_claim(std::move(c)));
}

result<small_message> queue::state::report_on(const queued_message& message,
                                              const queued_host& host) const {
  IMA_TRY(header, kept_header(message.id));
  if (header) return failure_report(*header, message.id, host);
  IMA_TRY(originator, address::parse(message.originator));
  return failure_report(originator, message.id, host);
}

result<void> queue::settle(host_claim& done) {
  const std::string& id = done.id();
  auto found = read(id);
  if (!found && found.error().rule == "queue-id") return {};  // another host's claim was faster
  if (!found) return std::move(found).error();
  queued_message message = std::move(*found);
  if (done.state().failed() && !done.state().reported && !message.automatic) {
    IMA_TRY(report, state_->report_on(message, done.state()));
    IMA_CHECK(add(report.header(), report));
    IMA_CHECK(done.mark_reported());
    IMA_TRY(after, read(id));
    message = std::move(after);
  }
  const bool over = std::all_of(message.hosts.begin(), message.hosts.end(), [&](const auto& h) {
    return !h.open() && (!h.failed() || h.reported || message.automatic);
  });
  if (!over) return {};
  auto gone = state_->remove(id);
  if (!gone && gone.error().rule == "file-missing") return {};  // another host's claim was faster
  return gone;
}

result<void> queue::hold(std::string_view id) { return state_->mark(id, "hold"); }
result<void> queue::release(std::string_view id) { return state_->mark(id, "release"); }

result<void> queue::retry(std::string_view id) {
  IMA_TRY(message, read(id));
  for (const queued_host& h : message.hosts) {
    if (!h.open()) continue;
    IMA_TRY(mine, claim(id, h.host));
    if (mine) IMA_CHECK(mine->make_due());
  }
  return state_->poke();
}

result<void> queue::drop(std::string_view id) {
  const auto message = read(id);
  if (!message && message.error().rule == "queue-damaged") return state_->remove(id);
  if (!message) return message.error();
  std::vector<host_claim> all;
  for (const queued_host& h : message->hosts) {
    IMA_TRY(mine, claim(id, h.host));
    if (!mine) return busy(id);
    all.push_back(std::move(*mine));
  }
  return state_->remove(id);
}

result<void> queue::sweep() {
  IMA_TRY(names, state_->names_in(state_->path + "/tmp"));
  for (const std::string& name : names) {
    const std::string place = fmt::format("{}/tmp/{}", state_->path, name);
    IMA_TRY(what, state_->disk.status(place));
    if (!what || !what->directory) continue;
    auto about = state_->disk.open(place + "/_entry");
    // Without that file it was just begun, or is almost gone; a day tells which.
    if (!about && state_->disk.now() - what->changed < std::chrono::hours(24)) continue;
    if (about) {
      IMA_TRY(abandoned, (*about)->try_lock());
      if (!abandoned) continue;
    }
    IMA_CHECK(state_->remove_tree(place));
  }
  return {};
}

result<std::uint64_t> queue::changes() const {
  IMA_TRY(what, state_->disk.status(state_->path + "/changes"));
  return what ? what->size : 0;
}

}  // namespace ima::service
