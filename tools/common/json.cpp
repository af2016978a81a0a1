#include "json.hpp"

#include <fmt/format.h>

namespace ima::tools {
namespace {

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto code = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') out += '\\';
    if (code < 0x20 || code == 0x7f)
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(code));
    else
      out += c;
  }
  return out += '"';
}

}  // namespace

void json_writer::comma() {
  if (!first_) out_ += ',';
  first_ = false;
}

json_writer& json_writer::open(char first, char last) {
  comma();
  out_ += first;
  ends_ += last;
  first_ = true;
  return *this;
}

json_writer& json_writer::end() {
  out_ += ends_.back();
  ends_.pop_back();
  first_ = false;
  return *this;
}

json_writer& json_writer::key(std::string_view name) {
  comma();
  out_ += quoted(name) + ':';
  first_ = true;  // its value needs no comma
  return *this;
}

json_writer& json_writer::text(std::string_view value) { return bare(quoted(value)); }

json_writer& json_writer::bare(std::string_view value) {
  comma();
  out_ += value;
  return *this;
}

}  // namespace ima::tools
