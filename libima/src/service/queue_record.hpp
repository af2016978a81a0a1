#pragma once

#include <ima/error.hpp>
#include <ima/mailbox/file_system.hpp>
#include <ima/service/queue.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

// The files of a queued message: lines that are only ever appended, each with a checksum, so that
// what a crash left half written, or the disk did not keep, is recognised and counts for nothing
// (docs/queue.md section 3).

namespace ima::service::queue_record {

/// A line with its checksum and LF.
std::string line(std::string_view text);

/// Takes each line that is as it was written; returns the octets up to the end of the last line.
std::uint64_t read_lines(octets file, const std::function<void(std::string_view)>& take);

/// The whole content of a file.
result<std::string> read_all(const mailbox::file& file);

std::string date(std::chrono::sys_seconds t);

/// A host's share of a message to `recipients`, of which nothing is known yet.
queued_host untried(std::string_view host, std::span<const address> recipients);
/// What a host's file says about those of the message's `recipients` that are there; about whom it
/// names itself where `recipients` is empty. Unknown lines change nothing.
result<queued_host> read_host(const mailbox::file& file, std::string_view host,
                              std::span<const address> recipients);
/// What a line of `_entry` says.
void apply(queued_message& message, std::string_view text);

std::string recipient_line(const address& recipient);
std::string result_line(const delivery::recipient_result& r);
std::string try_line(std::chrono::sys_seconds now, std::chrono::sys_seconds next,
                     std::string_view problem);

}  // namespace ima::service::queue_record
