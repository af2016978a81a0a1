// Invariant: any octets are some mail. It becomes a message whose parts are what its header block
// announces, and that message is the same again after it was mail.

#include "in_memory.hpp"
#include "require.hpp"

#include <ima/message.hpp>
#include <ima/translate/message_to_mime.hpp>
#include <ima/translate/mime_to_message.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

using namespace ima;

namespace {

std::pair<header_block, std::string> message_of(const std::string& mail) {
  octets_in_memory source(mail);
  auto made = translate::mime_to_message::translate(source, mail.size());
  require(made.has_value());
  std::string body;
  require(made->write_body(append_to(body)).has_value());
  body_reader reader(made->header());
  octets rest = body;
  for (auto slice = reader.next(rest); slice && *slice; slice = reader.next(rest)) {
  }
  require(reader.complete() && rest.empty());
  return {made->header(), body};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string mail(reinterpret_cast<const char*>(bytes), size);
  const auto [header, body] = message_of(mail);
  octets_in_memory source(body);
  auto back = translate::message_to_mime::translate(header, source);
  require(back.has_value());
  std::string again;
  require(back->write(append_to(again)).has_value());
  require(message_of(again).first.id_digest() == header.id_digest());
  return 0;
}
