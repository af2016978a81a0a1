#include "support/ascii.hpp"
#include "support/try.hpp"
#include "wire/words.hpp"

#include <ima/service/compose.hpp>

#include <openssl/rand.h>

#include <array>
#include <cstddef>

namespace ima::service {
namespace {

struct media_ending {
  std::string_view ending;
  std::string_view type;
};

// What people attach, by RFC 6838's registry.
constexpr media_ending media_endings[] = {
    {".csv", "text/csv"},
    {".docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
    {".gif", "image/gif"},
    {".gz", "application/gzip"},
    {".htm", "text/html"},
    {".html", "text/html"},
    {".ics", "text/calendar"},
    {".jpeg", "image/jpeg"},
    {".jpg", "image/jpeg"},
    {".json", "application/json"},
    {".md", "text/markdown"},
    {".mp3", "audio/mpeg"},
    {".mp4", "video/mp4"},
    {".odt", "application/vnd.oasis.opendocument.text"},
    {".ogg", "audio/ogg"},
    {".pdf", "application/pdf"},
    {".png", "image/png"},
    {".svg", "image/svg+xml"},
    {".tar", "application/x-tar"},
    {".txt", "text/plain"},
    {".vcf", "text/vcard"},
    {".webp", "image/webp"},
    {".xml", "application/xml"},
    {".zip", "application/zip"},
};

bool ends_with_folded(std::string_view text, std::string_view ending) {
  if (text.size() < ending.size()) return false;
  text.remove_prefix(text.size() - ending.size());
  for (std::size_t i = 0; i < ending.size(); ++i) {
    if (lower_ascii(text[i]) != ending[i]) return false;
  }
  return true;
}

// Base 32 without letters that are easily taken for another.
constexpr std::string_view id_letters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

// Replaces the hostpart between `begin` and `end` by its wire form.
result<std::string> with_wire_hostpart(std::string_view text, std::size_t begin, std::size_t end) {
  IMA_TRY(host, hostpart_from_unicode(text.substr(begin, end - begin)));
  return std::string(text.substr(0, begin)) + host + std::string(text.substr(end));
}

}  // namespace

std::string_view guess_media_type(std::string_view file_name) noexcept {
  for (const auto& [ending, type] : media_endings) {
    if (ends_with_folded(file_name, ending)) return type;
  }
  return "application/octet-stream";
}

std::string name_from_file(std::string_view file_name) {
  std::string name = wire::clean_text(file_name, std::string_view::npos);
  while (name.ends_with(' ')) name.pop_back();
  return name;
}

result<std::string> new_message_id(std::string_view host) {
  std::array<unsigned char, 26> random{};
  if (RAND_bytes(random.data(), random.size()) != 1) {
    return error{fault::temporary, "random", "", "no random numbers"};
  }
  std::string id;
  for (const unsigned char octet : random) id += id_letters[octet % id_letters.size()];
  id += '@';
  id += host;
  return id;
}

result<named_address> address_from_person(std::string_view text) {
  const std::size_t at = text.rfind('@');
  if (at == std::string_view::npos) return named_address::parse(text);
  const std::size_t end = text.ends_with('>') ? text.size() - 1 : text.size();
  IMA_TRY(wire, with_wire_hostpart(text, at + 1, end));
  return named_address::parse(wire);
}

}  // namespace ima::service
