#include "message/recipient_hosts.hpp"
#include "service/queue_record.hpp"
#include "service/queue_state.hpp"
#include "support/try.hpp"

#include <ima/digest.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace ima::service {
namespace {

namespace rec = queue_record;

constexpr std::size_t step = 64 * 1024;

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

result<std::unique_ptr<mailbox::file>> create_locked(mailbox::file_system& disk,
                                                     const std::string& file) {
  IMA_TRY(made, disk.create(file));
  IMA_CHECK(made->lock());
  return std::move(made);
}

}  // namespace

// The files of the entry itself, besides those of its hosts.
result<void> queue::state::build_message(const std::string& place, const header_block& header,
                                         body_source& body, mailbox::file& about) const {
  std::string lines =
      rec::line(fmt::format("created {} {}", rec::date(disk.now()), header.originator().text()));
  if (header.first("auto")) lines += rec::line("automatic");
  IMA_CHECK(about.append(lines));
  IMA_CHECK(about.sync());
  IMA_TRY(message, disk.create(place + "/_message"));
  return copy(header, body, *message);
}

// A host's file, locked by the claim on it.
result<host_claim> queue::state::build_host(const std::string& place, const std::string& id,
                                            const std::string& host,
                                            const std::vector<address>& recipients) const {
  IMA_TRY(file, create_locked(disk, fmt::format("{}/{}", place, host)));
  std::string lines;
  for (const address& a : recipients)
    if (a.host() == host) lines += rec::recipient_line(a);
  auto c = std::make_unique<host_claim::content>(
      host_claim::content{disk, id, std::move(file), recipients, rec::untried(host, recipients)});
  IMA_CHECK(c->write(lines));
  return host_claim(std::move(c));
}

result<void> queue::state::build(const std::string& place, const header_block& header,
                                 body_source& body, const std::string& id,
                                 std::vector<host_claim>& claims) const {
  IMA_CHECK(disk.make_directory(place));
  IMA_TRY(about, create_locked(disk, place + "/_entry"));  // while this is under way
  IMA_CHECK(build_message(place, header, body, *about));
  const auto recipients = header.recipients();
  for (const std::string& host : recipient_hosts(header)) {
    IMA_TRY(claim, build_host(place, id, host, recipients));
    claims.push_back(std::move(claim));
  }
  IMA_CHECK(disk.sync_directory(place));
  IMA_CHECK(disk.rename(place, entry(id)));
  return disk.sync_directory(path + "/entries");
}

result<queue::added> queue::add(const header_block& header, body_source& body) {
  added out{digest::of(header.text()).hex(), false, {}};
  IMA_TRY(there, state_->disk.status(state_->entry(out.id)));
  out.already = there.has_value();
  if (out.already) return out;
  const std::string place = state_->temporary(out.id);
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

}  // namespace ima::service
