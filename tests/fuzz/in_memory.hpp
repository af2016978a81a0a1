#pragma once

#include "require.hpp"

#include <ima/body_source.hpp>
#include <ima/translate/mime_to_message.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

/// Octets in memory as a source.
class octets_in_memory : public ima::body_source {
 public:
  explicit octets_in_memory(std::string text) : text_(std::move(text)) {}
  ima::result<void> read_at(std::uint64_t offset, char* buffer, std::size_t size) override {
    require(offset + size <= text_.size());
    std::memcpy(buffer, text_.data() + offset, size);
    return {};
  }

 private:
  std::string text_;
};

inline ima::translate::octet_writer append_to(std::string& out) {
  return [&out](ima::octets piece) -> ima::result<void> {
    out += piece;
    return {};
  };
}
