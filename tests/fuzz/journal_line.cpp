// Invariant: a journal line that is read is written again as the same octets, and one octet more or
// less, or another, is not read at all.

#include "mailbox/journal.hpp"
#include "require.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

using namespace ima::mailbox;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  // The checksum is put in front here, as a fuzzer does not find it by itself.
  const std::string body(reinterpret_cast<const char*>(bytes), size);
  std::string line(8, '0');
  const std::uint32_t sum = crc32(body);
  for (std::size_t i = 0; i < 8; ++i) line[i] = "0123456789abcdef"[(sum >> (28 - 4 * i)) & 15U];
  line += ' ' + body;
  const auto read = parse_journal_line(line);
  if (!read) return 0;
  require(journal_line(read->seq, read->what) == line + '\n');
  require(!parse_journal_line(line + '0'));
  require(!parse_journal_line(line.substr(0, line.size() - 1)));
  line.back() ^= 1;
  require(!parse_journal_line(line));
  return 0;
}
