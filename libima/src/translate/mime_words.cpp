#include "translate/mime_words.hpp"

#include "translate/charset_decoder.hpp"
#include "translate/encoded_words.hpp"
#include "translate/escape.hpp"
#include "translate/parameter_pieces.hpp"

#include <fmt/format.h>
#include <gmime/gmime.h>

#include <algorithm>
#include <memory>
#include <set>

namespace ima::translate {
namespace {

struct g_free_text {
  void operator()(char* text) const { g_free(text); }
};
using g_text = std::unique_ptr<char, g_free_text>;

struct g_unref {
  void operator()(gpointer object) const { g_object_unref(object); }
};
template <class T>
using g_object = std::unique_ptr<T, g_unref>;

// GMime is initialised once and never shut down; its options are read-only from then on.
GMimeParserOptions* options() {
  static GMimeParserOptions* const made = [] {
    g_mime_init();
    GMimeParserOptions* o = g_mime_parser_options_new();
    g_mime_parser_options_set_allow_addresses_without_domain(o, TRUE);
    // Octets without a declared charset: UTF-8, or else one letter an octet.
    const char* charsets[] = {"utf-8", "iso-8859-1", nullptr};
    g_mime_parser_options_set_fallback_charsets(o, charsets);
    return o;
  }();
  return made;
}

std::string taken(char* text) {
  const g_text owned(text);
  return owned ? std::string(owned.get()) : std::string();
}

std::string text_of(const char* text) { return text == nullptr ? std::string() : text; }

// NUL ends a C string, so a value with one would be cut short.
std::string without_nul(std::string_view value) {
  std::string out(value);
  std::replace(out.begin(), out.end(), '\0', ' ');
  return out;
}

void add_mailboxes(InternetAddressList* list, mailbox_list& into) {
  into.mailboxes.reserve(static_cast<std::size_t>(internet_address_list_length(list)));
  for (int i = 0; i < internet_address_list_length(list); ++i) {
    InternetAddress* each = internet_address_list_get_address(list, i);
    if (INTERNET_ADDRESS_IS_GROUP(each)) {
      into.groups = true;
      // A group in a group is not mail; the parser makes none, and none is looked into.
      InternetAddressList* members =
          internet_address_group_get_members(INTERNET_ADDRESS_GROUP(each));
      for (int k = 0; k < internet_address_list_length(members); ++k) {
        InternetAddress* member = internet_address_list_get_address(members, k);
        if (!INTERNET_ADDRESS_IS_MAILBOX(member)) continue;
        into.mailboxes.push_back(
            {text_of(internet_address_get_name(member)),
             text_of(internet_address_mailbox_get_addr(INTERNET_ADDRESS_MAILBOX(member)))});
      }
    } else {
      into.mailboxes.push_back(
          {text_of(internet_address_get_name(each)),
           text_of(internet_address_mailbox_get_addr(INTERNET_ADDRESS_MAILBOX(each)))});
    }
  }
}

constexpr std::string_view a_label = "xn--";

// Something of the form of an A-label's beginning that the text does not hold, if there is one.
std::string unused_label_prefix(std::string_view text) {
  for (char c = 'a'; c <= 'z'; ++c) {
    std::string prefix = {'x', c, '-', '-'};
    if (prefix != a_label && text.find(prefix) == std::string_view::npos) return prefix;
  }
  return std::string(a_label);
}

std::string with_other_labels(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + 4))
    text.replace(at, from.size(), to);
  return text;
}

// Whether every "@" of the value is one of theirs: a parser that goes on after a mistake passes
// over what it cannot read. More than a message may name are not looked at, as each may be searched
// for.
bool names_all(const std::string& value, const std::vector<mailbox_text>& mailboxes) {
  constexpr std::size_t most = 2000;
  if (mailboxes.size() > most) return false;
  auto left = std::count(value.begin(), value.end(), '@');
  for (const mailbox_text& m : mailboxes) {
    left -= std::count(m.addr.begin(), m.addr.end(), '@');
    const auto in_name = std::count(m.name.begin(), m.name.end(), '@');
    if (in_name > 0 && value.find(m.name) != std::string::npos) left -= in_name;
  }
  return left == 0;
}

// The value without its comments (RFC 5322 section 3.2.2). One that does not end is no comment.
std::string without_comments(std::string_view value) {
  std::string out;
  std::string open;  // since the outermost "("
  std::size_t depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const std::string_view piece = value.substr(i, value[i] == '\\' ? 2 : 1);
    i += piece.size() - 1;
    if (piece == "\"" && depth == 0) quoted = !quoted;
    if (piece == "(" && !quoted) ++depth;
    (depth > 0 ? open : out) += piece;
    if (piece == ")" && depth > 0 && --depth == 0) open.clear();
  }
  return out + open;
}

bool is_atext(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-/=?^_`{|}~").find(c) != std::string_view::npos ||
         static_cast<unsigned char>(c) >= 0x80;
}

// RFC 2045 section 5.1.
bool is_token(char c) {
  return c > ' ' && c < 0x7f &&
         std::string_view("()<>@,;:\\\"/[]?=").find(c) == std::string_view::npos;
}

// A local part as RFC 5322 writes it: bare where it is a dot-atom, otherwise quoted.
std::string local_part(std::string_view local) {
  bool atom = !local.starts_with('.') && !local.ends_with('.') &&
              local.find("..") == std::string_view::npos;
  for (const char c : local) atom = atom && (is_atext(c) || c == '.');
  if (atom) return std::string(local);
  std::string out = "\"";
  for (const char c : local) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

// As long as names of fields are, where it is not at hand.
const std::string any_name(200, 'x');

// A display name: bare, quoted, or in encoded words.
std::string phrase(const std::string& name) {
  bool atoms = name.find("  ") == std::string::npos && name.find("=?") == std::string::npos &&
               fits_lines(any_name, name);
  bool ascii = atoms;
  for (const char c : name) {
    atoms = atoms && static_cast<unsigned char>(c) < 0x80 && (is_atext(c) || c == ' ');
    ascii = ascii && c >= ' ' && c < 0x7f && c != '"' && c != '\\';
  }
  if (atoms) return name;
  return ascii ? '"' + name + '"' : write_encoded_words(name);
}

// Octets without a charset that are not UTF-8 are ISO 8859-1.
std::string as_utf8(std::string_view value) {
  if (is_utf8(value)) return std::string(value);
  charset_decoder decoder("iso-8859-1");
  std::string out;
  decoder.decode(value, out);
  decoder.finish(out);
  return out;
}

std::string write_parameter(const parameter& p) {
  // As it stands, it would be read as encoded words.
  if (p.value.find("=?") != std::string::npos) return write_extended(p.name, p.value);
  const g_object<GMimeParamList> list(g_mime_param_list_new());
  g_mime_param_list_set_parameter(list.get(), p.name.c_str(), p.value.c_str());
  GString* text = g_string_new("");
  g_mime_param_list_encode(list.get(), nullptr, FALSE, text);
  std::string out = taken(g_string_free(text, FALSE));
  std::erase(out, '\n');
  return out;
}

}  // namespace

void start_gmime() { options(); }

std::string_view parametrised::param(std::string_view name) const noexcept {
  for (const parameter& p : params)
    if (p.name == name) return p.value;
  return {};
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

std::string capitalised(std::string_view name) {
  std::string out(name);
  bool start = true;
  for (char& c : out) {
    if (start && c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    start = c == '-';
  }
  return out;
}

std::string_view trim(std::string_view text) noexcept {
  constexpr std::string_view space = " \t\r\n";
  const std::size_t from = text.find_first_not_of(space);
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(space) - from + 1);
}

std::string decode_text(std::string_view value) {
  return taken(
      g_mime_utils_header_decode_text(options(), without_nul(join_encoded_words(value)).c_str()));
}

std::string encode_text(std::string_view text) {
  start_gmime();
  return taken(g_mime_utils_header_encode_text(nullptr, without_nul(text).c_str(), "utf-8"));
}

std::string seven_bit_text(const std::string& text) {
  const bool plain =
      std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c < 0x7f; });
  const bool good = plain && text.find("=?") == std::string::npos && fits_lines(any_name, text);
  return good ? text : write_encoded_words(text);
}

mailbox_list parse_mailboxes(std::string_view value) {
  mailbox_list out;
  const std::string joined = join_encoded_words(value);
  const std::string bare = without_comments(joined);
  out.comments = bare.size() != joined.size();
  // GMime would make of an A-label what it says, and of one that says nothing another.
  const std::string other = unused_label_prefix(bare + decode_text(bare));
  const std::string plain = with_other_labels(bare, a_label, other);
  const g_object<InternetAddressList> list(
      internet_address_list_parse(options(), without_nul(plain).c_str()));
  if (list) add_mailboxes(list.get(), out);
  for (mailbox_text& each : out.mailboxes)
    for (std::string* text : {&each.name, &each.addr})
      *text = with_other_labels(*text, other, a_label);
  out.complete = names_all(bare, out.mailboxes);
  return out;
}

std::string write_mailbox(const named_address& who) {
  start_gmime();
  std::string addr = local_part(who.addr.local()) + "@" + std::string(who.addr.host());
  if (who.display_name.empty()) return addr;
  return phrase(who.display_name) + " <" + addr + ">";
}

bool is_parameter_name(std::string_view name) noexcept {
  return !name.empty() && std::all_of(name.begin(), name.end(), is_token);
}

parametrised parse_parametrised(std::string_view value) {
  const std::size_t semicolon = std::min(value.find(';'), value.size());
  parametrised out{lower(trim(value.substr(0, semicolon))), {}};
  const std::string_view params = value.substr(semicolon);
  out.complete = is_utf8(params);
  const std::string rest = without_nul(in_order(join_encoded_words(as_utf8(params))));
  if (rest.size() < 2) return out;
  const g_object<GMimeParamList> list(g_mime_param_list_parse(options(), rest.c_str() + 1));
  if (!list) return out;
  std::set<std::string> names;
  for (int i = 0; i < g_mime_param_list_length(list.get()); ++i) {
    GMimeParam* p = g_mime_param_list_get_parameter_at(list.get(), i);
    parameter made{lower(text_of(g_mime_param_get_name(p))), text_of(g_mime_param_get_value(p))};
    if (made.value.empty()) continue;
    // A name that is no token has no form to be written in again; of a name's values the first
    // counts.
    if (is_parameter_name(made.name) && names.insert(made.name).second)
      out.params.push_back(std::move(made));
    else
      out.complete = false;
  }
  return out;
}

std::string write_parametrised(const parametrised& what) {
  start_gmime();
  std::set<std::string_view> names;
  std::string out = what.value;
  for (const parameter& p : what.params)
    if (!p.value.empty() && is_parameter_name(p.name) && names.insert(p.name).second)
      out += write_parameter(p);
  return out;
}

std::optional<timestamp> parse_date(std::string_view value) {
  start_gmime();
  std::string text = without_nul(trim(value));
  for (std::size_t i = text.find_last_of(" \t") + 1; i < text.size(); ++i)  // a zone such as "cst"
    if (text[i] >= 'a' && text[i] <= 'z') text[i] = static_cast<char>(text[i] - 'a' + 'A');
  GDateTime* made = g_mime_utils_header_decode_date(text.c_str());
  if (made == nullptr) return std::nullopt;
  const std::chrono::seconds offset(g_date_time_get_utc_offset(made) / G_USEC_PER_SEC);
  const timestamp when{std::chrono::sys_seconds(std::chrono::seconds(g_date_time_to_unix(made))),
                       std::chrono::floor<std::chrono::minutes>(offset)};
  g_date_time_unref(made);
  // An offset of a day or more, or a year out of range, has no form in a message.
  if (!timestamp::parse(when.text())) return std::nullopt;
  return when;
}

std::string write_date(const timestamp& when) {
  using namespace std::chrono;
  const auto there = when.at + when.offset;
  const year_month_day day(floor<days>(there));
  const hh_mm_ss time(there - floor<days>(there));
  constexpr std::string_view names[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::string_view months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const minutes ahead = when.offset < minutes(0) ? -when.offset : when.offset;
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} {}{:02}{:02}",
                     names[weekday(floor<days>(there)).c_encoding()],
                     static_cast<unsigned>(day.day()),
                     months[static_cast<unsigned>(day.month()) - 1], static_cast<int>(day.year()),
                     time.hours().count(), time.minutes().count(), time.seconds().count(),
                     when.offset < minutes(0) ? '-' : '+', ahead.count() / 60, ahead.count() % 60);
}

id_list parse_ids(std::string_view value) {
  id_list out;
  while (!(value = trim(value)).empty()) {
    const std::size_t close = value.starts_with('<') ? value.find('>') : std::string_view::npos;
    const std::string_view id = value.substr(1, close == std::string_view::npos ? 0 : close - 1);
    if (id.empty() || id.find_first_of(" \t<") != std::string_view::npos) {
      out.clean = false;
      value.remove_prefix(std::min(value.size(), value.find('<', 1)));
    } else {
      out.ids.emplace_back(id);
      value.remove_prefix(close + 1);
    }
  }
  return out;
}

bool fits_lines(std::string_view name, std::string_view value) {
  constexpr std::size_t longest = 998;
  const std::string folded = fold_field(name, value, "\n");
  for (std::size_t at = 0; at < folded.size();) {
    const std::size_t end = folded.find('\n', at);
    if (end - at > longest) return false;
    at = end + 1;
  }
  return true;
}

std::string fold_field(std::string_view name, std::string_view value, std::string_view line_end) {
  constexpr std::size_t width = 78;
  std::string out(name);
  out += ": ";
  std::size_t column = out.size();
  while (!value.empty()) {
    // A word goes with the space before it, so that the space begins the next line.
    const std::size_t begin = value.find_first_not_of(' ');
    const std::size_t word = std::min(value.find(' ', std::min(begin, value.size())), value.size());
    if (column + word > width && value.front() == ' ' && begin < value.size()) {
      out += line_end;
      column = 0;
    }
    out += value.substr(0, word);
    column += word;
    value.remove_prefix(word);
  }
  return out += line_end;
}

}  // namespace ima::translate
