// Invariant: the server's record in front of a stored message is read only whole; what was read can
// be written, and reads as the same again.

#include "mailbox/record.hpp"

#include "require.hpp"

#include <cstddef>
#include <cstdint>

using namespace ima;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const octets text(reinterpret_cast<const char*>(bytes), size);
  const auto read = mailbox::read_record(text);
  require(read || read.error().rule == "message-damaged");
  if (!read) return 0;
  require(size <= mailbox::record_limit);
  const auto written = mailbox::write_record(*read);
  if (!written) return 0;  // it was written under wider rules
  const auto again = mailbox::read_record(*written);
  require(bool(again));
  require(again->folder == read->folder && again->flags == read->flags &&
          again->recipient == read->recipient && again->received == read->received);
  return 0;
}
