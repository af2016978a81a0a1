#include "translate/charset_decoder.hpp"

#include "translate/mime_words.hpp"

#include <gmime/gmime.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <optional>

namespace ima::translate {
namespace {

constexpr std::string_view replacement = "\xef\xbf\xbd";  // U+FFFD
constexpr std::size_t longest_label = 100;  // and GMime would keep longer ones for ever

// What a label means in practice, most of it as the label table of the WHATWG's Encoding standard
// has it. `by_letter` is what it says in a narrower sense, if it does.
struct reading {
  std::string_view label;
  const char* usual;
  const char* by_letter;
};

constexpr reading readings[] = {
    {"usascii", "UTF-8", "ASCII"},
    {"ascii", "UTF-8", "ASCII"},
    {"unknown8bit", "UTF-8", "ASCII"},
    {"xunknown", "UTF-8", "ASCII"},
    {"iso88599", "CP1254", "ISO-8859-9"},
    {"latin5", "CP1254", "ISO-8859-9"},
    {"iso88598i", "ISO-8859-8", nullptr},
    {"tis620", "CP874", "TIS-620"},
    {"iso885911", "CP874", "ISO-8859-11"},
    {"euckr", "CP949", "EUC-KR"},
    {"ksc5601", "CP949", "EUC-KR"},
    {"ksc56011987", "CP949", "EUC-KR"},
    {"ksc56011989", "CP949", "EUC-KR"},
    {"korean", "CP949", "EUC-KR"},
    {"shiftjis", "CP932", "SJIS"},
    {"sjis", "CP932", "SJIS"},
    {"xsjis", "CP932", "SJIS"},
    {"mskanji", "CP932", "SJIS"},
    {"windows31j", "CP932", nullptr},
    {"iso2022jp", "ISO-2022-JP-3", "ISO-2022-JP"},
    {"xeucjp", "EUC-JP", nullptr},
    {"gb2312", "GB18030", "EUC-CN"},
    {"gb231280", "GB18030", "EUC-CN"},
    {"euccn", "GB18030", "EUC-CN"},
    {"gbk", "GB18030", "GBK"},
    {"xgbk", "GB18030", "GBK"},
    {"cp936", "GB18030", "GBK"},
    {"big5", "BIG5-HKSCS", "BIG5"},
    {"xxbig5", "BIG5-HKSCS", "BIG5"},
    {"xmacroman", "MACINTOSH", nullptr},
    {"unicode11utf7", "UTF-7", nullptr},
};

// Letters and digits, so that iso8859_1 is iso-8859-1.
std::string letters_of(std::string_view charset) {
  std::string out = lower(charset);
  std::erase_if(out, [](char c) { return !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9'); });
  return out;
}

// windows-1251, win-1251, x-cp1251 and ms1251 as cp1251; others as they are.
std::string code_page(const std::string& letters) {
  std::string_view rest = letters;
  if (rest.starts_with('x')) rest.remove_prefix(1);
  for (const std::string_view prefix : {"windows", "win", "cp", "ms"}) {
    if (!rest.starts_with(prefix)) continue;
    const std::string_view number = rest.substr(prefix.size());
    const bool good = (number.size() == 3 || number.size() == 4) &&
                      number.find_first_not_of("0123456789") == std::string_view::npos;
    if (good) return "cp" + std::string(number);
  }
  return letters;
}

std::optional<reading> reading_of(std::string_view label) {
  const auto* const found = std::find_if(std::begin(readings), std::end(readings),
                                         [&](const reading& r) { return r.label == label; });
  return found == std::end(readings) ? std::nullopt : std::optional(*found);
}

// cp1251 and latin2, which others write with more letters.
bool may_be_shortened(std::string_view letters) {
  return letters.starts_with("cp") || letters.starts_with("latin");
}

bool is_unicode(std::string_view letters) {
  return letters.empty() || letters.starts_with("utf") || letters.starts_with("ucs") ||
         letters.starts_with("unicode") || letters.starts_with("iso10646");
}

// A control of ISO 6429's second set in UTF-8.
bool has_c1(octets text) {
  for (std::size_t i = 1; i < text.size(); ++i)
    if (text[i - 1] == '\xc2' && static_cast<unsigned char>(text[i]) < 0xa0) return true;
  return false;
}

}  // namespace

charset_decoder::converter charset_decoder::open(const char* charset) {
  void* const handle = iconv_open("UTF-8", charset);
  return converter(reinterpret_cast<std::intptr_t>(handle) == -1 ? nullptr : handle);
}

// GMime knows more labels than iconv.
charset_decoder::converter charset_decoder::open_label(const std::string& label) {
  start_gmime();
  return open(g_mime_charset_iconv_name(label.c_str()));
}

charset_decoder::charset_decoder(std::string_view charset) {
  if (charset.size() <= longest_label) open_known(charset);
  known_ = handle_ != nullptr;
  if (!known_) handle_ = open("UTF-8");
}

void charset_decoder::open_known(std::string_view charset) {
  const std::string letters = letters_of(charset);
  const std::string page = code_page(letters);
  unicode_ = is_unicode(letters);
  escapes_ = letters.starts_with("iso2022");
  if (const auto found = reading_of(page)) {
    handle_ = open(found->usual);
    if (handle_ && found->by_letter != nullptr) strict_ = open(found->by_letter);
    if (found->usual == std::string_view("UTF-8")) fallback_ = open("CP1252");
  }
  if (!handle_) handle_ = open_label(charset.empty() ? "UTF-8" : std::string(charset));
  if (!handle_ && may_be_shortened(page)) handle_ = open(page.c_str());
}

void charset_decoder::replace_one(octets octet, std::string& out) {
  lossy_ = true;
  char text[8];
  char* to = text;
  std::size_t room = sizeof text;
  char one = octet.front();
  char* from = &one;
  std::size_t left = 1;
  if (fallback_ && iconv(fallback_.get(), &from, &left, &to, &room) == 0)
    out.append(text, sizeof text - room);
  else
    out += replacement;
}

// What comes out by the letter. A charset of one's own has no use for controls that nobody can see.
void charset_decoder::check(octets text) {
  if (unicode_ || lossy_) return;
  lossy_ = has_c1(text) || (escapes_ && text.find('\x1b') != octets::npos);
}

void charset_decoder::decode(octets in, std::string& out) {
  lossy_ = lossy_ || (!known_ && !in.empty());
  if (strict_) check_strictly(in);
  waiting_ += in;
  char* from = waiting_.data();
  std::size_t left = waiting_.size();
  char piece[4096];
  while (left > 0) {
    char* to = piece;
    std::size_t room = sizeof piece;
    const std::size_t done = iconv(handle_.get(), &from, &left, &to, &room);
    const int why = errno;
    const octets made(piece, sizeof piece - room);
    out += made;
    if (!strict_) check(made);
    if (done != static_cast<std::size_t>(-1)) {
      lossy_ = lossy_ || done > 0;
      continue;
    }
    if (why == EINVAL) break;  // the rest of this character comes later
    if (why != EILSEQ) continue;
    replace_one({from, 1}, out);
    ++from;
    --left;
  }
  waiting_.erase(0, waiting_.size() - left);
}

// A label is read by usage, which is what people mean; that the text was not what it says is to be
// known all the same.
void charset_decoder::check_strictly(octets in) {
  strict_waiting_ += in;
  char* from = strict_waiting_.data();
  std::size_t left = strict_waiting_.size();
  char piece[4096];
  while (left > 0 && !lossy_) {
    char* to = piece;
    std::size_t room = sizeof piece;
    const std::size_t done = iconv(strict_.get(), &from, &left, &to, &room);
    const int why = errno;
    check({piece, sizeof piece - room});
    if (done != static_cast<std::size_t>(-1)) continue;
    if (why == EINVAL) break;
    lossy_ = lossy_ || why == EILSEQ;
  }
  strict_waiting_.erase(0, strict_waiting_.size() - left);
}

void charset_decoder::finish(std::string& out) {
  for (const char c : waiting_) replace_one({&c, 1}, out);
  waiting_.clear();
  char piece[64];
  char* to = piece;
  std::size_t room = sizeof piece;
  iconv(handle_.get(), nullptr, nullptr, &to, &room);
  out.append(piece, sizeof piece - room);
}

}  // namespace ima::translate
