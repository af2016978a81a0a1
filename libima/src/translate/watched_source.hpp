#pragma once

#include <ima/body_source.hpp>

#include <cstdint>
#include <memory>
#include <utility>

namespace ima::translate {

/// Remembers whether its octets could be read: what cannot be read is one message's misfortune,
/// what cannot be written that of all that follow.
class watched_source : public body_source {
 public:
  explicit watched_source(std::unique_ptr<body_source> from) : from_(std::move(from)) {}

  bool failed() const noexcept { return failed_; }
  result<void> read_at(std::uint64_t offset, char* buffer, std::size_t size) override {
    auto good = from_->read_at(offset, buffer, size);
    failed_ = failed_ || !good;
    return good;
  }

 private:
  std::unique_ptr<body_source> from_;
  bool failed_ = false;
};

}  // namespace ima::translate
