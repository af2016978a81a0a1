#include "translate/maildir_names.hpp"

#include "translate/modified_utf7.hpp"

#include <ima/digest.hpp>

#include <algorithm>
#include <utility>

namespace ima::translate {
namespace {

constexpr std::pair<char, std::string_view> letters[] = {{'D', "draft"},     {'F', "flagged"},
                                                         {'P', "forwarded"}, {'R', "answered"},
                                                         {'S', "seen"},      {'T', "deleted"}};

bool is_letter(char c) noexcept {
  return std::any_of(std::begin(letters), std::end(letters),
                     [&](const auto& l) { return l.first == c; });
}

}  // namespace

std::string info_of(const std::vector<std::string>& flags) {
  std::string out = ":2,";
  for (const auto& [letter, flag] : letters)
    if (std::find(flags.begin(), flags.end(), flag) != flags.end()) out += letter;
  return out;
}

std::vector<std::string> flags_of(std::string_view file_name) {
  std::vector<std::string> out;
  const std::size_t info = file_name.rfind(":2,");
  if (info == std::string_view::npos) return out;
  for (const auto& [letter, flag] : letters)
    if (file_name.find(letter, info + 3) != std::string_view::npos) out.emplace_back(flag);
  std::sort(out.begin(), out.end());
  return out;
}

std::string with_flags(std::string_view file_name, const std::vector<std::string>& flags) {
  const std::string_view base = base_of(file_name);
  std::string out = std::string(base) + info_of(flags);
  for (const char c : file_name.substr(std::min(file_name.size(), base.size() + 3)))
    if (!is_letter(c)) out += c;
  return out;
}

bool has_letter(std::string_view flag) noexcept {
  return std::any_of(std::begin(letters), std::end(letters),
                     [&](const auto& l) { return l.second == flag; });
}

std::string_view base_of(std::string_view file_name) noexcept {
  return file_name.substr(0, file_name.rfind(":2,"));
}

std::string_view own_base_of(std::string_view file_name) noexcept {
  constexpr std::string_view mark = ".ima";
  const std::string_view base = base_of(file_name);
  const std::string_view own = base.substr(0, base.find(','));
  return own.ends_with(mark) ? own.substr(0, own.size() - mark.size()) : std::string_view();
}

// A "." separates levels, so one in a name is "=2E".
result<std::string> directory_of(std::string_view folder) {
  constexpr std::size_t longest = 255;  // octets that file systems allow
  if (folder == "inbox") return std::string();
  std::string out = ".";
  for (const char c : to_modified_utf7(folder)) {
    if (c == '/')
      out += '.';
    else if (c == '.')
      out += "=2E";
    else if (c == '=')
      out += "=3D";
    else
      out += c;
  }
  if (out.size() <= longest) return out;
  return error{fault::caller, "folder-name", std::string(folder),
               "is too long for the name of a directory"};
}

std::string mirror_directory_of(std::string_view folder) {
  const auto is_inside = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; };
  auto name = directory_of(folder);
  for (std::string_view front = folder; !name;) {
    while (is_inside(front.back())) front.remove_suffix(1);
    front.remove_suffix(1);
    name = directory_of(std::string(front) + "~" + digest::of(folder).hex().substr(0, 16));
  }
  return *std::move(name);
}

std::string folder_of(std::string_view directory) {
  if (directory.empty()) return "inbox";
  std::string out;
  for (std::size_t i = 1; i < directory.size(); ++i) {
    const std::string_view code = directory.substr(i, 3);
    if (directory[i] == '.')
      out += '/';
    else if (code == "=2E")
      out += '.';
    else if (code == "=3D")
      out += '=';
    else
      out += directory[i];
    if (code == "=2E" || code == "=3D") i += 2;
  }
  return from_modified_utf7(out);
}

}  // namespace ima::translate
