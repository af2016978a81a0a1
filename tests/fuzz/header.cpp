// Invariant: a header block that is read is the octets it was read from, names only valid
// addresses and parts whose offsets add up, and every copy made of it is itself a valid block with
// the same digest; one that is refused names a rule.

#include "require.hpp"

#include <ima/header.hpp>

#include <cstddef>
#include <cstdint>

using namespace ima;

namespace {

void check_copy(const header_block& original, const header_block& copy) {
  require(copy.id_digest() == original.id_digest());
  const auto again = header_block::parse(copy.text());
  require(again && again->id_digest() == original.id_digest());
}

void check_parts(const header_block& header) {
  std::uint64_t offset = 0;
  for (const part_info& part : header.parts()) {
    require(part.offset == offset && !part.media_type.empty());
    offset += part.size;
  }
  require(offset == header.body_size());
}

void check(const header_block& header) {
  check_parts(header);
  std::size_t octets_of_fields = sizeof("ima: 1") + 1;  // that line, and the blank one
  for (const header_field& field : header.fields())
    if (field.name != "ima") octets_of_fields += field.name.size() + 2 + field.value.size() + 1;
  require(octets_of_fields == header.size());
  for (const address& a : header.recipients()) {
    require(address::parse(a.text()).has_value());
    check_copy(header, header.for_recipient(a));
    check_copy(header, header.for_host(a.host()));
  }
  require(header.originator() == header.mailer().value_or(header.from()).addr);
  if (const auto date = header.date()) require(timestamp::parse(date->text()).has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const octets block(reinterpret_cast<const char*>(bytes), size);
  const auto header = header_block::parse(block);
  if (!header) {
    require(!header.error().rule.empty() && header.error().kind == fault::peer);
    return 0;
  }
  require(header->text() == block);
  check(*header);
  return 0;
}
