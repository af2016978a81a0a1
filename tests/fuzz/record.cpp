// Invariant: the server's record in front of a stored message is read only whole; what was read can
// be written, and reads as the same again.

#include "mailbox/record.hpp"

#include "require.hpp"

#include <cstddef>
#include <cstdint>

using namespace ima;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const octets text(reinterpret_cast<const char*>(bytes), size);
  std::size_t length = 0;
  const auto read = mailbox::read_record(text, length);
  if (!read) return 0;
  require(length <= size && length <= mailbox::record_limit);
  const auto written = mailbox::write_record(*read);
  if (!written) return 0;  // it was written under wider rules
  std::size_t again_length = 0;
  const auto again = mailbox::read_record(*written, again_length);
  require(again && again_length == written->size());
  require(again->folder == read->folder && again->flags == read->flags &&
          again->recipient == read->recipient && again->received == read->received);
  return 0;
}
