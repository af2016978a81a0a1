#include "translate/parameter_pieces.hpp"

#include "translate/charset_decoder.hpp"
#include "translate/mime_words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <map>
#include <vector>

namespace ima::translate {
namespace {

struct piece {
  std::string_view text;  // with the `;` before it
  std::string name;       // without stars, in lower case
  bool extended = false;  // says its charset
  bool numbered = false;
  std::size_t number = 0;
};

// Up to the next `;` that is in no quotes.
std::size_t end_of_piece(std::string_view text) {
  bool quoted = false;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '\\' && quoted)
      ++i;
    else if (text[i] == '"')
      quoted = !quoted;
    else if (text[i] == ';' && !quoted)
      return i;
  }
  return text.size();
}

// charset'language'octets, of a charset known here.
bool says_charset(std::string_view value) {
  value = trim(value);
  if (value.starts_with('"')) value.remove_prefix(1);
  const std::size_t first = value.find('\'');
  if (first == 0 || first == std::string_view::npos) return false;
  const std::size_t second = value.find('\'', first + 1);
  return second != std::string_view::npos && second + 1 < value.size() &&
         charset_decoder(value.substr(0, first)).known();
}

bool is_number(std::string_view text) {
  return !text.empty() && text.size() < 6 &&
         text.find_first_not_of("0123456789") == std::string_view::npos;
}

piece read_piece(std::string_view text) {
  const std::size_t equals = std::min(text.find('='), text.size());
  piece out{text, lower(trim(text.substr(1, equals - 1)))};
  const bool starred = out.name.ends_with('*');
  if (starred) out.name.pop_back();
  const std::size_t star = out.name.rfind('*');
  if (star != std::string::npos && is_number(std::string_view(out.name).substr(star + 1))) {
    out.numbered = true;
    out.number = std::stoul(out.name.substr(star + 1));
    out.name.resize(star);
  }
  out.extended =
      starred && out.number == 0 && equals < text.size() && says_charset(text.substr(equals + 1));
  return out;
}

using places = std::vector<std::size_t>;

// The pieces of one name, in the order of their numbers where the first of them stood.
void sort_numbered(std::vector<piece>& pieces, const places& of_name) {
  std::vector<piece> numbered;
  for (const std::size_t at : of_name)
    if (pieces[at].numbered) numbered.push_back(pieces[at]);
  std::stable_sort(numbered.begin(), numbered.end(),
                   [](const piece& a, const piece& b) { return a.number < b.number; });
  auto next = numbered.begin();
  for (const std::size_t at : of_name)
    if (pieces[at].numbered) pieces[at] = *next++;
}

// Takes away the value that is there for programs that cannot read the other one.
void drop_plain(std::vector<piece>& pieces, const places& of_name) {
  const auto is_extended = [&](std::size_t at) { return pieces[at].extended; };
  if (std::none_of(of_name.begin(), of_name.end(), is_extended)) return;
  places plain;
  for (const std::size_t at : of_name)
    if (pieces[at].text.substr(0, pieces[at].text.find('=')).find('*') == std::string_view::npos)
      plain.push_back(at);
  if (plain.size() == 1) pieces[plain.front()].text = {};
}

}  // namespace

std::string in_order(std::string_view parameters) {
  if (parameters.find('*') == std::string_view::npos) return std::string(parameters);
  std::vector<piece> pieces;
  std::map<std::string, places> names;
  while (!parameters.empty()) {
    pieces.push_back(read_piece(parameters.substr(0, end_of_piece(parameters))));
    names[pieces.back().name].push_back(pieces.size() - 1);
    parameters.remove_prefix(pieces.back().text.size());
  }
  for (const auto& [name, of_name] : names) {
    sort_numbered(pieces, of_name);
    drop_plain(pieces, of_name);
  }
  std::string out;
  for (const piece& p : pieces) out += p.text;
  return out;
}

std::string write_extended(std::string_view name, std::string_view value) {
  constexpr std::size_t most = 20;  // octets in one piece
  std::string out;
  for (std::size_t at = 0, number = 0; at < value.size(); at += most, ++number) {
    out +=
        value.size() > most ? fmt::format("; {}*{}*=", name, number) : fmt::format("; {}*=", name);
    if (number == 0) out += "utf-8''";
    for (const char c : value.substr(at, most)) {
      const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
      out += plain ? std::string(1, c)
                   : fmt::format("%{:02X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    }
  }
  return out;
}

}  // namespace ima::translate
