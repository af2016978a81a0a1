// Invariant: any message becomes mail, and that mail the same message again; but for a date that
// mail cannot say, text that is none, and lines that are too long for it.
//
// The input is a header block without its first line and without lengths and digests, which this
// puts into each `part:` line, and behind the blank line the parts, with a "~" between them.

#include "in_memory.hpp"
#include "require.hpp"

#include <ima/message.hpp>
#include <ima/translate/message_to_mime.hpp>
#include <ima/translate/mime_to_message.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

using namespace ima;

namespace {

std::string_view take_until(std::string_view& text, char end) {
  const std::string_view taken = text.substr(0, text.find(end));
  text.remove_prefix(std::min(text.size(), taken.size() + 1));
  return taken;
}

struct draft {
  std::string head = "ima: 1\n";
  std::string body;
};

draft complete(std::string_view input) {
  const std::size_t blank = std::min(input.find("\n\n"), input.size());
  std::string_view lines = input.substr(0, blank);
  std::string_view bodies = input.substr(std::min(blank + 2, input.size()));
  draft out;
  while (!lines.empty()) {
    std::string_view line = take_until(lines, '\n');
    constexpr std::string_view part = "part: ";
    if (!line.starts_with(part)) {
      out.head.append(line).append("\n");
      continue;
    }
    line.remove_prefix(part.size());
    const std::string_view type = take_until(line, ' ');
    const std::string_view octets_of_it = take_until(bodies, '~');
    out.head += fmt::format("part: {} {} sha256={}{}{}\n", octets_of_it.size(), type,
                            digest::of(octets_of_it).hex(), line.empty() ? "" : " ", line);
    out.body += octets_of_it;
  }
  out.head += '\n';
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const draft made = complete({reinterpret_cast<const char*>(bytes), size});
  const auto header = header_block::parse(made.head);
  if (!header) return 0;
  octets_in_memory source(made.body);
  auto mail = translate::message_to_mime::translate(*header, source);
  require(mail.has_value());
  std::string text;
  require(mail->write(append_to(text)).has_value());
  octets_in_memory written(text);
  const auto back = translate::mime_to_message::translate(written, text.size());
  require(back.has_value());
  const auto remarks = mail->remarks();
  const bool good = std::none_of(remarks.begin(), remarks.end(), [](const translate::remark& r) {
    return r.rule == "date" || r.rule == "charset" || r.rule == "length";
  });
  require(!good || back->header().id_digest() == header->id_digest());
  return 0;
}
