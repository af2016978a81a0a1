#pragma once

#include <ima/body_source.hpp>
#include <ima/header.hpp>
#include <ima/mailbox/mailbox.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace ima::translate {

/// The body of a message in a mailbox, which outlives it.
class stored_body : public body_source {
 public:
  stored_body(mailbox::mailbox& box, std::string folder, std::string id, header_block header)
      : box_(box), folder_(std::move(folder)), id_(std::move(id)), header_(std::move(header)) {}

  result<void> read_at(std::uint64_t offset, char* buffer, std::size_t size) override;

 private:
  result<void> open_part_at(std::uint64_t offset);

  mailbox::mailbox& box_;
  std::string folder_;
  std::string id_;
  header_block header_;
  std::size_t index_ = 0;  // of the part that is open
  std::unique_ptr<mailbox::part_source> part_;
};

}  // namespace ima::translate
