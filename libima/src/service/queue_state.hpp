#pragma once

#include <ima/address.hpp>
#include <ima/body_source.hpp>
#include <ima/error.hpp>
#include <ima/header.hpp>
#include <ima/mailbox/file_system.hpp>
#include <ima/service/failure_report.hpp>
#include <ima/service/queue.hpp>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// The insides of the queue: its files and what may be done to them (docs/queue.md section 2).

namespace ima::service {

/// Appends behind the last line of a queue's file, durably; what a crash left after it goes.
result<void> append_lines(mailbox::file& file, std::string_view lines);

struct host_claim::content {
  mailbox::file_system& disk;
  std::string id;
  std::unique_ptr<mailbox::file> file;  // its lock is the claim
  std::vector<address> recipients;      // of the message; empty where it is damaged
  queued_host host;

  result<void> reread();
  result<void> write(std::string_view lines);
};

struct queue::state {
  mailbox::file_system& disk;
  std::string path;

  std::string entry(std::string_view id) const;
  std::string file(std::string_view id, std::string_view name) const;
  /// A name for an entry that is being made or removed.
  std::string temporary(std::string_view id) const;
  result<std::vector<std::string>> names_in(const std::string& place) const;

  result<bool> is_ready() const;
  result<void> make_ready() const;
  result<void> build_message(const std::string& place, const header_block& header,
                             body_source& body, mailbox::file& about) const;
  result<host_claim> build_host(const std::string& place, const std::string& id,
                                const std::string& host,
                                const std::vector<address>& recipients) const;
  /// Makes a whole entry, with a claim on each of its hosts.
  result<void> build(const std::string& place, const header_block& header, body_source& body,
                     const std::string& id, std::vector<host_claim>& claims) const;
  /// The header block as it was queued; nothing where the disk did not keep it so. Error:
  /// `queue-id`.
  result<std::optional<header_block>> kept_header(std::string_view id) const;
  /// What `_entry` says, or the message where that is damaged. Error: `queue-damaged`.
  result<queued_message> about(std::string_view id,
                               const std::optional<header_block>& header) const;
  /// The hosts of a message: those of its recipients, or who has a file where it is damaged.
  result<std::vector<std::string>> hosts_of(std::string_view id,
                                            const std::optional<header_block>& header) const;
  /// Whether this open file is still the one by that name.
  result<bool> is_at(const mailbox::file& open, const std::string& name) const;
  /// Whether the message is still there.
  result<bool> has(std::string_view id) const;
  /// A host's file, made where it was lost; nothing where the message is gone.
  result<std::unique_ptr<mailbox::file>> open_host(std::string_view id,
                                                   std::string_view host) const;
  /// Made of what is on disk alone.
  result<small_message> report_on(const queued_message& message, const queued_host& host) const;
  result<void> remove_tree(const std::string& place) const;
  /// It disappears in one step; a crash after it leaves what sweep() finds.
  result<void> remove(std::string_view id) const;
  /// Appends a word of an operator's to an entry.
  result<void> mark(std::string_view id, std::string_view word) const;
  /// Lets runners know that an operator changed something.
  result<void> poke() const;
  /// Where its file was lost, its recipients wait as if it had not been tried.
  result<queued_host> read_host(std::string_view id, std::string_view host,
                                std::span<const address> recipients) const;
};

error no_such_message(std::string_view id);
error damaged_message(std::string_view id, std::string why);
bool is_message_id(std::string_view id);

}  // namespace ima::service
