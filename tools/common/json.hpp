#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ima::tools {

/// Puts one JSON value together. Texts are UTF-8; what JSON does not allow in them is escaped.
///
///     json_writer out;
///     out.object().key("id").text(id).key("tries").number(3).end();
class json_writer {
 public:
  json_writer& object() { return open('{', '}'); }
  json_writer& array() { return open('[', ']'); }
  json_writer& end();
  json_writer& key(std::string_view name);
  json_writer& text(std::string_view value);
  json_writer& number(std::uint64_t value) { return bare(std::to_string(value)); }
  json_writer& flag(bool value) { return bare(value ? "true" : "false"); }

  const std::string& str() const noexcept { return out_; }

 private:
  json_writer& open(char first, char last);
  json_writer& bare(std::string_view value);
  void comma();

  std::string out_;
  std::string ends_;  // what closes the open objects and arrays
  bool first_ = true;
};

}  // namespace ima::tools
