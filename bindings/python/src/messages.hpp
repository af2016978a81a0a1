#pragma once

#include "binding.hpp"

#include <ima/body_source.hpp>
#include <ima/header.hpp>
#include <ima/service/message_file.hpp>

#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace ima::python {

/// One part for a message that is made in memory.
struct memory_part {
  octets_in data;
  std::string media_type;
  std::string role;
  std::string cid;
  std::string params;
  std::string name;
};

/// A message that is wholly in memory. The views are of the `bytes` objects in `kept`, which never
/// change, so reading needs no GIL.
class memory_message : public body_source {
 public:
  memory_message(header_block header, std::vector<octets_in> kept, std::vector<octets> parts)
      : header_(std::move(header)), kept_(std::move(kept)), parts_(std::move(parts)) {}

  const header_block& header() const noexcept { return header_; }
  const std::vector<octets>& parts() const noexcept { return parts_; }
  /// The octets of a part, without a copy.
  py::object part(std::size_t index) const;
  result<void> read_at(std::uint64_t offset, char* buffer, std::size_t size) override;

 private:
  header_block header_;
  std::vector<octets_in> kept_;
  std::vector<octets> parts_;
};

/// A message file that several Python threads may read.
class shared_message_file : public body_source {
 public:
  explicit shared_message_file(service::message_file file) : file_(std::move(file)) {}

  const header_block& header() const noexcept { return file_.header(); }
  result<void> read_at(std::uint64_t offset, char* buffer, std::size_t size) override {
    const std::lock_guard lock(mutex_);
    return file_.read_at(offset, buffer, size);
  }

 private:
  std::mutex mutex_;
  service::message_file file_;
};

/// The body of another message under a header block with the same part lines.
class readdressed_message : public body_source {
 public:
  readdressed_message(header_block header, py::object original, body_source& body)
      : header_(std::move(header)), original_(std::move(original)), body_(body) {}

  const header_block& header() const noexcept { return header_; }
  result<void> read_at(std::uint64_t offset, char* buffer, std::size_t size) override {
    return body_.read_at(offset, buffer, size);
  }

 private:
  header_block header_;
  py::object original_;  // keeps the body alive
  body_source& body_;
};

/// A message argument: a Message, a MessageFile, or what their with_header() made.
struct message_in {
  const header_block& header;
  body_source& body;
};
message_in message_from(const py::object& message);

/// A file object over `size` octets that `read_into(offset, buffer)` reads.
py::object part_file(const py::object& read_into, std::uint64_t size);
/// The writable buffer of an argument; the view keeps it from moving.
class writable_buffer {
 public:
  explicit writable_buffer(const py::buffer& of);
  writable_buffer(const writable_buffer&) = delete;
  writable_buffer& operator=(const writable_buffer&) = delete;
  ~writable_buffer() { PyBuffer_Release(&view_); }

  char* data() const noexcept { return static_cast<char*>(view_.buf); }
  std::size_t size() const noexcept { return static_cast<std::size_t>(view_.len); }

 private:
  Py_buffer view_{};
};

}  // namespace ima::python
