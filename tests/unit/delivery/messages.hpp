#pragma once

#include <ima/header.hpp>

#include <string>
#include <string_view>
#include <vector>

// Small messages for the tests of the delivery sessions.

namespace sample {

inline ima::header_block header(const std::vector<std::string_view>& to,
                                const std::vector<std::string_view>& parts) {
  ima::header_builder builder;
  builder.field("from", "alice@a.example");
  for (const std::string_view one : to) builder.field("to", one);
  for (const std::string_view text : parts) {
    ima::part_description part;
    part.size = text.size();
    part.sha256 = ima::digest::of(text);
    builder.part(part);
  }
  return builder.build().value();
}

inline ima::header_block header() { return header({"bob@b.example"}, {"hello"}); }

inline std::string offer(const ima::header_block& h) {
  return "MAIL " + std::to_string(h.size()) + "\n" + std::string(h.text());
}

}  // namespace sample
