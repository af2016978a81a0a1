#pragma once

#include <ima/error.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace ima::tools {

/// One table of a configuration file, while a program says which keys it knows. Each read() names a
/// key and where its value goes; a key that is not in the file leaves the value alone. The first
/// problem is kept and everything after it is skipped, so programs need not look in between.
class config_table {
 public:
  using reader = std::function<void(config_table&)>;
  using text_map = std::map<std::string, std::string, std::less<>>;

  void read(std::string_view key, std::string& value);
  void read(std::string_view key, bool& value);
  void read(std::string_view key, std::uint64_t& value);              ///< A number from 0 on.
  void read(std::string_view key, std::chrono::milliseconds& value);  ///< "60s", "250ms", "14d"
  void read(std::string_view key, std::vector<std::string>& value);   ///< A list of texts.
  /// A text, which stands for a list of it alone, or a list of texts.
  void read_words(std::string_view key, std::vector<std::string>& value);
  void read(std::string_view key, text_map& value);  ///< A table of texts.
  /// A path; a relative one is taken from the directory of the file.
  void read(std::string_view key, std::filesystem::path& value);
  /// "100 MiB", "4096", or a plain number.
  void read_octets(std::string_view key, std::uint64_t& value);

  /// A table in this one; `[key]`.
  void table(std::string_view key, const reader& read_table);
  /// A list of tables; `[[key]]`, read one by one in the order of the file.
  void tables(std::string_view key, const reader& read_table);
  /// Every key of this table with the table it names, for tables whose keys are the user's own.
  void each_table(const std::function<void(std::string_view key, config_table&)>& read_table);

  /// The key must be there.
  void require(std::string_view key);
  /// The program's own objection to the value of `key`: "file:line: key: problem".
  void reject(std::string_view key, std::string_view problem);

 private:
  friend result<void> read_config(const std::filesystem::path& file, const reader& read_keys);
  struct content;
  explicit config_table(content& c) : content_(c) {}

  content& content_;
};

/// Reads a TOML file by `read_keys`, which names every key there may be. Errors: fault::caller,
/// place "file:line", text "key: problem"; rules `config-file`, `config-syntax`, `config-key` (a
/// key that was not asked for), `config-missing`, `config-type`, `config-value`.
result<void> read_config(const std::filesystem::path& file, const config_table::reader& read_keys);

}  // namespace ima::tools
