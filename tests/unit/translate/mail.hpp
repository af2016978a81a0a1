#pragma once

#include <ima/message.hpp>
#include <ima/translate/message_to_mime.hpp>
#include <ima/translate/mime_to_message.hpp>

#include <doctest/doctest.h>

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

/// Octets in memory as a source.
class memory_source : public ima::body_source {
 public:
  explicit memory_source(std::string octets) : octets_(std::move(octets)) {}

  const std::string& octets() const noexcept { return octets_; }
  ima::result<void> read_at(std::uint64_t offset, char* buffer, std::size_t size) override {
    if (offset + size > octets_.size())
      return ima::error{ima::fault::temporary, "storage", "", "behind the end"};
    std::memcpy(buffer, octets_.data() + offset, size);
    return {};
  }

 private:
  std::string octets_;
};

/// A message with its body, checked by the library's own reader.
struct whole_message {
  ima::header_block header;
  std::string body;
  std::vector<std::string> remarks;  ///< Their rules.

  std::string part(std::size_t number) const {
    const ima::part_info& p = header.parts()[number - 1];
    return body.substr(p.offset, p.size);
  }
  std::string line(std::size_t number) const { return std::string(header.all("part")[number - 1]); }
};

inline void check_body(const whole_message& message) {
  ima::body_reader reader(message.header);
  ima::octets rest = message.body;
  while (true) {
    const auto slice = reader.next(rest);
    REQUIRE(slice);
    if (!*slice) break;
  }
  CHECK(reader.complete());
  CHECK(rest.empty());
}

inline std::vector<std::string> rules(std::span<const ima::translate::remark> remarks) {
  std::vector<std::string> out;
  for (const auto& r : remarks) out.emplace_back(r.rule);
  return out;
}

inline whole_message to_message(std::string_view mail, const ima::limits& bounds = {}) {
  memory_source source{std::string(mail)};
  auto made = ima::translate::mime_to_message::translate(source, mail.size(), bounds);
  REQUIRE_MESSAGE(made, made.error().message() << "\n" << mail);
  whole_message out{made->header(), {}, rules(made->remarks())};
  REQUIRE(made->write_body([&](ima::octets piece) -> ima::result<void> {
    out.body += piece;
    return {};
  }));
  check_body(out);
  return out;
}

struct whole_mail {
  std::string text;
  std::vector<std::string> remarks;
};

inline whole_mail to_mail(const whole_message& message) {
  memory_source source(message.body);
  auto made = ima::translate::message_to_mime::translate(message.header, source);
  REQUIRE(made);
  whole_mail out{{}, rules(made->remarks())};
  REQUIRE(made->write([&](ima::octets piece) -> ima::result<void> {
    out.text += piece;
    return {};
  }));
  return out;
}
