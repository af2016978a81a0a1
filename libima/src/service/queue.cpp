#include "service/queue_record.hpp"
#include "support/try.hpp"

#include <ima/service/failure_report.hpp>
#include <ima/service/queue.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <mutex>
#include <random>
#include <span>
#include <utility>

namespace ima::service {
namespace {

namespace rec = queue_record;
using delivery::outcome;

constexpr std::string_view format_text = "ima-queue 1\n";
constexpr std::size_t step = 64 * 1024;

bool is_id(std::string_view id) { return digest::parse(id).has_value(); }

error no_such(std::string_view id) {
  return {fault::caller, "queue-id", std::string(id), "the queue has no message by this id"};
}

error busy(std::string_view id) {
  return {fault::temporary, "queue-busy", std::string(id), "it is being tried at this moment"};
}

// Appends behind the last whole line; what a crash left after it goes.
result<void> append(mailbox::file& file, std::string_view lines) {
  IMA_TRY(text, rec::read_all(file));
  const std::uint64_t good = rec::read_lines(text, [](std::string_view) {});
  if (good < text.size()) IMA_CHECK(file.truncate(good));
  IMA_CHECK(file.append(lines));
  return file.sync();
}

std::vector<std::string> hosts_of(const header_block& header) {
  std::vector<std::string> hosts;
  for (const address& a : header.recipients())
    if (std::find(hosts.begin(), hosts.end(), a.host()) == hosts.end())
      hosts.emplace_back(a.host());
  return hosts;
}

result<void> copy(const header_block& header, body_source& body, mailbox::file& to) {
  IMA_CHECK(to.append(header.text()));
  std::vector<char> piece(
      static_cast<std::size_t>(std::min<std::uint64_t>(step, header.body_size())));
  for (std::uint64_t at = 0; at < header.body_size(); at += piece.size()) {
    piece.resize(
        static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), header.body_size() - at)));
    IMA_CHECK(body.read_at(at, piece.data(), piece.size()));
    IMA_CHECK(to.append(octets(piece.data(), piece.size())));
  }
  return to.sync();
}

result<std::vector<std::string>> names_in(mailbox::file_system& disk, const std::string& place) {
  std::vector<std::string> names;
  IMA_CHECK(disk.list(place, [&](const std::string& name) -> result<void> {
    names.push_back(name);
    return {};
  }));
  return names;
}

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string random_word() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}", random(), random());
}

}  // namespace

std::chrono::sys_seconds retry_policy::next(std::uint64_t tries, std::chrono::sys_seconds now,
                                            double draw) const {
  const double doubled = static_cast<double>(first.count()) *
                         std::exp2(static_cast<double>(std::min<std::uint64_t>(tries, 60)));
  const double interval = std::min(doubled, static_cast<double>(longest.count()));
  const double spread = interval * (0.875 + draw / 4);
  return now + std::chrono::seconds(std::max<std::int64_t>(1, std::llround(spread)));
}

bool queued_host::open() const noexcept {
  return std::any_of(results.begin(), results.end(),
                     [](const auto& r) { return r.what == outcome::defer; });
}

bool queued_host::failed() const noexcept {
  return std::any_of(results.begin(), results.end(), [](const auto& r) {
    return r.what == outcome::fail || r.what == outcome::no_recipient;
  });
}

struct host_claim::content {
  mailbox::file_system& disk;
  std::string id;
  std::unique_ptr<mailbox::file> file;  // its lock is the claim
  queued_host host;

  result<void> reread() {
    IMA_TRY(text, rec::read_all(*file));
    queued_host fresh{host.host, {}, 0, {}, {}, "", false};
    rec::read_lines(text, [&](std::string_view line) { rec::apply(fresh, line); });
    host = std::move(fresh);
    return {};
  }
  result<void> write(std::string_view lines) {
    IMA_CHECK(append(*file, lines));
    return reread();
  }
};

host_claim::host_claim(std::unique_ptr<content> c) : content_(std::move(c)) {}
host_claim::host_claim(host_claim&&) noexcept = default;
host_claim& host_claim::operator=(host_claim&&) noexcept = default;
host_claim::~host_claim() = default;

const std::string& host_claim::id() const noexcept { return content_->id; }
const queued_host& host_claim::state() const noexcept { return content_->host; }

result<void> host_claim::record(const std::vector<delivery::recipient_result>& results,
                                std::string_view problem, std::chrono::sys_seconds next) {
  std::string lines;
  for (const auto& r : results) lines += rec::result_line(r);
  return content_->write(lines + rec::try_line(content_->disk.now(), next, problem));
}

result<void> host_claim::mark_reported() { return content_->write(rec::line("reported")); }

result<void> host_claim::make_due() {
  return content_->write(rec::line("due " + rec::date(content_->disk.now())));
}

struct queue::state {
  mailbox::file_system& disk;
  std::string path;

  std::string entry(std::string_view id) const { return fmt::format("{}/entries/{}", path, id); }
  std::string file(std::string_view id, std::string_view name) const {
    return fmt::format("{}/entries/{}/{}", path, id, name);
  }

  result<bool> is_ready() const;
  result<void> make_ready() const;
  result<void> build(const std::string& place, const header_block& header, body_source& body,
                     const std::string& id, std::vector<host_claim>& claims) const;
  result<std::unique_ptr<mailbox::file>> create(const std::string& file) const;
  result<void> remove_tree(const std::string& place) const;
  result<void> remove(std::string_view id) const;
  result<void> mark(std::string_view id, std::string_view word) const;
  result<void> poke() const;
  result<std::optional<queued_host>> read_host(std::string_view id, std::string_view host) const;
};

result<bool> queue::state::is_ready() const {
  const std::string format = path + "/format";
  IMA_TRY(marked, disk.status(format));
  if (!marked) return false;
  IMA_TRY(file, disk.open(format));
  IMA_TRY(text, rec::read_all(*file));
  if (text == format_text) return true;
  return error{fault::caller, "queue-format", format, "this is not a queue of version 1"};
}

result<void> queue::state::make_ready() const {
  for (const std::string& directory : {path, path + "/tmp", path + "/entries"}) {
    auto made = disk.make_directory(directory);
    if (!made && made.error().rule != "file-exists") return made;
  }
  IMA_TRY(file, disk.open_append(path + "/tmp/format"));
  IMA_CHECK(file->truncate(0));
  IMA_CHECK(file->append(format_text));
  IMA_CHECK(file->sync());
  IMA_CHECK(disk.rename(path + "/tmp/format", path + "/format"));
  IMA_CHECK(disk.sync_directory(path));
  return disk.sync_directory(parent_of(path));
}

// A new file, locked by us.
result<std::unique_ptr<mailbox::file>> queue::state::create(const std::string& file) const {
  IMA_TRY(made, disk.create(file));
  IMA_CHECK(made->lock());
  return std::move(made);
}

result<void> queue::state::build(const std::string& place, const header_block& header,
                                 body_source& body, const std::string& id,
                                 std::vector<host_claim>& claims) const {
  IMA_CHECK(disk.make_directory(place));
  IMA_TRY(about, create(place + "/_entry"));  // locked for as long as this is under way
  std::string lines =
      rec::line(fmt::format("created {} {}", rec::date(disk.now()), header.originator().text()));
  if (header.first("auto")) lines += rec::line("automatic");
  IMA_CHECK(about->append(lines));
  IMA_CHECK(about->sync());
  IMA_TRY(message, disk.create(place + "/_message"));
  IMA_CHECK(copy(header, body, *message));
  for (const std::string& host : hosts_of(header)) {
    IMA_TRY(file, create(fmt::format("{}/{}", place, host)));
    auto c = std::make_unique<host_claim::content>(
        host_claim::content{disk, id, std::move(file), {host, {}, 0, {}, {}, "", false}});
    std::string recipients;
    for (const address& a : header.recipients())
      if (a.host() == host) recipients += rec::recipient_line(a);
    IMA_CHECK(c->write(recipients));
    claims.push_back(host_claim(std::move(c)));
  }
  IMA_CHECK(disk.sync_directory(place));
  IMA_CHECK(disk.rename(place, entry(id)));
  return disk.sync_directory(path + "/entries");
}

result<void> queue::state::remove_tree(const std::string& place) const {
  IMA_TRY(names, names_in(disk, place));
  const auto missing = [](const result<void>& r) { return !r && r.error().rule == "file-missing"; };
  for (const std::string& name : names) {
    auto gone = disk.unlink(fmt::format("{}/{}", place, name));
    if (!gone && !missing(gone)) return gone;  // two may be at it
  }
  auto gone = disk.remove_directory(place);
  if (missing(gone)) return {};
  return gone;
}

// It disappears in one step; a crash after it leaves what sweep() finds.
result<void> queue::state::remove(std::string_view id) const {
  const std::string place = fmt::format("{}/tmp/{}.{}", path, id, random_word());
  IMA_CHECK(disk.rename(entry(id), place));
  return remove_tree(place);
}

result<void> queue::state::poke() const {
  IMA_TRY(file, disk.open_append(path + "/changes"));
  return file->append(".");
}

result<void> queue::state::mark(std::string_view id, std::string_view word) const {
  if (!is_id(id)) return no_such(id);
  const std::string about = file(id, "_entry");
  IMA_TRY(there, disk.status(about));
  if (!there) return no_such(id);
  IMA_TRY(open, disk.open_append(about));
  IMA_CHECK(open->lock());
  IMA_CHECK(append(*open, rec::line(word)));
  return poke();
}

result<std::optional<queued_host>> queue::state::read_host(std::string_view id,
                                                           std::string_view host) const {
  auto open = disk.open(file(id, host));
  if (!open && open.error().rule == "file-missing") return std::optional<queued_host>();
  if (!open) return std::move(open).error();
  IMA_TRY(text, rec::read_all(**open));
  queued_host h{std::string(host), {}, 0, {}, {}, "", false};
  rec::read_lines(text, [&](std::string_view line) { rec::apply(h, line); });
  return std::optional(std::move(h));
}

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
  if (!is_id(id)) return no_such(id);
  auto open = state_->disk.open(message_path(id));
  if (!open && open.error().rule == "file-missing") return no_such(id);
  if (!open) return std::move(open).error();
  std::string text(limits{}.header_block, '\0');
  IMA_TRY(count, (*open)->read_at(0, text));
  text.resize(std::min(count, text.find("\n\n", 0) + 2));
  return header_block::parse(text);
}

result<queue::added> queue::add(const header_block& header, body_source& body) {
  added out{digest::of(header.text()).hex(), false, {}};
  IMA_TRY(there, state_->disk.status(state_->entry(out.id)));
  out.already = there.has_value();
  if (out.already) return out;
  const std::string place = fmt::format("{}/tmp/{}.{}", state_->path, out.id, random_word());
  auto built = state_->build(place, header, body, out.id, out.claims);
  if (built) return out;
  out.claims.clear();
  out.already = built.error().rule == "file-exists";  // somebody was faster
  IMA_TRY(left, state_->disk.status(place));
  if (left) {
    // What cannot be removed now is removed by sweep(); the first error is the one that counts.
    if (auto gone = state_->remove_tree(place); !gone && out.already)
      return std::move(gone).error();
  }
  if (out.already) return out;
  return std::move(built).error();
}

result<std::vector<std::string>> queue::ids() const {
  IMA_TRY(names, names_in(state_->disk, state_->path + "/entries"));
  names.erase(std::remove_if(names.begin(), names.end(), [](const auto& n) { return !is_id(n); }),
              names.end());
  return std::move(names);
}

result<queued_message> queue::read(std::string_view id) const {
  if (!is_id(id)) return no_such(id);
  auto names = names_in(state_->disk, state_->entry(id));
  if (!names && names.error().rule == "file-missing") return no_such(id);
  if (!names) return std::move(names).error();
  auto about = state_->disk.open(state_->file(id, "_entry"));
  if (!about && about.error().rule == "file-missing") return no_such(id);  // gone meanwhile
  if (!about) return std::move(about).error();
  IMA_TRY(text, rec::read_all(**about));
  queued_message out;
  out.id = id;
  rec::read_lines(text, [&](std::string_view line) { rec::apply(out, line); });
  std::sort(names->begin(), names->end());
  for (const std::string& name : *names) {
    if (name.starts_with('_')) continue;
    IMA_TRY(host, state_->read_host(id, name));
    if (host) out.hosts.push_back(std::move(*host));
  }
  return out;
}

result<std::optional<host_claim>> queue::claim(std::string_view id, std::string_view host) const {
  const std::string file = state_->file(id, host);
  IMA_TRY(there, state_->disk.status(file));
  if (!there) return std::optional<host_claim>();
  auto open = state_->disk.open_append(file);
  if (!open && open.error().rule == "file-missing") return std::optional<host_claim>();
  if (!open) return std::move(open).error();
  IMA_TRY(mine, (*open)->try_lock());
  if (!mine) return std::optional<host_claim>();
  auto c = std::make_unique<host_claim::content>(
      host_claim::content{state_->disk,
                          std::string(id),
                          std::move(*open),
                          {std::string(host), {}, 0, {}, {}, "", false}});
  IMA_CHECK(c->reread());
  return std::optional(host_claim(std::move(c)));
}

result<void> queue::settle(host_claim& done) {
  const std::string& id = done.id();
  auto found = read(id);
  if (!found && found.error().rule == "queue-id") return {};  // another host's claim was faster
  if (!found) return std::move(found).error();
  queued_message message = std::move(*found);
  if (done.state().failed() && !done.state().reported && !message.automatic) {
    IMA_TRY(original, header(id));
    IMA_TRY(report, failure_report(original, id, done.state()));
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
  IMA_TRY(message, read(id));
  std::vector<host_claim> all;
  for (const queued_host& h : message.hosts) {
    IMA_TRY(mine, claim(id, h.host));
    if (!mine) return busy(id);
    all.push_back(std::move(*mine));
  }
  return state_->remove(id);
}

result<void> queue::sweep() {
  IMA_TRY(names, names_in(state_->disk, state_->path + "/tmp"));
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
