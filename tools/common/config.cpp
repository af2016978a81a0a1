#include "config.hpp"

#include "quantities.hpp"

#include <ima/small_file.hpp>

#include <fmt/format.h>
#include <toml++/toml.h>

#include <optional>
#include <set>

namespace ima::tools {
namespace {

// What all tables of one file share.
struct file_state {
  std::filesystem::path path;
  std::optional<error> problem;

  void fail(std::string_view rule, toml::source_position at, std::string_view key,
            std::string_view text) {
    if (problem) return;
    problem = error{fault::caller, rule, fmt::format("{}:{}", path.string(), at.line),
                    key.empty() ? std::string(text) : fmt::format("{}: {}", key, text)};
  }
};

std::string_view type_name(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::string:
      return "a text";
    case toml::node_type::integer:
      return "a number";
    case toml::node_type::boolean:
      return "true or false";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::table:
      return "a table";
    default:
      return "of another type";
  }
}

}  // namespace

struct config_table::content {
  file_state& file;
  const toml::table& table;
  std::string name;  // "tls", "domain.handler"; empty for the file itself
  std::set<std::string, std::less<>> known;

  std::string full(std::string_view key) const {
    return name.empty() ? std::string(key) : fmt::format("{}.{}", name, key);
  }

  const toml::node* find(std::string_view key) {
    known.emplace(key);
    return file.problem ? nullptr : table.get(key);
  }

  void wrong_type(const toml::node& node, std::string_view key, std::string_view wanted) {
    file.fail("config-type", node.source().begin, full(key),
              fmt::format("must be {}, not {}", wanted, type_name(node)));
  }

  // The value of `key` as a T, or nothing where it is missing or (an error) something else.
  template <class T>
  const T* get(std::string_view key, std::string_view wanted) {
    const toml::node* node = find(key);
    if (node == nullptr) return nullptr;
    const auto* value = node->as<T>();
    if (value == nullptr) {
      wrong_type(*node, key, wanted);
      return nullptr;
    }
    if constexpr (toml::is_container<T>) {
      return value;
    } else {
      return &value->get();
    }
  }

  void reject_unknown_keys() {
    for (const auto& [key, node] : table) {
      if (known.contains(key.str())) continue;
      file.fail("config-key", key.source().begin, full(key.str()), "is not a known key");
      return;
    }
  }
};

void config_table::read(std::string_view key, std::string& value) {
  if (const auto* text = content_.get<std::string>(key, "a text")) value = *text;
}

void config_table::read(std::string_view key, bool& value) {
  if (const auto* flag = content_.get<bool>(key, "true or false")) value = *flag;
}

void config_table::read(std::string_view key, std::uint64_t& value) {
  const auto* number = content_.get<std::int64_t>(key, "a number");
  if (number == nullptr) return;
  if (*number < 0) return reject(key, "must not be negative");
  value = static_cast<std::uint64_t>(*number);
}

void config_table::read(std::string_view key, std::chrono::milliseconds& value) {
  const auto* text = content_.get<std::string>(key, "a text such as \"60s\"");
  if (text == nullptr) return;
  const auto duration = parse_duration(*text);
  if (!duration) return reject(key, "must be a time such as \"250ms\", \"60s\", \"10min\", \"1h\"");
  value = *duration;
}

void config_table::read_octets(std::string_view key, std::uint64_t& value) {
  const toml::node* node = content_.find(key);
  if (node == nullptr) return;
  if (node->is_integer()) return read(key, value);
  const auto* text = content_.get<std::string>(key, "a size such as \"100 MiB\"");
  if (text == nullptr) return;
  const auto count = parse_octet_count(*text);
  if (!count) return reject(key, "must be a size such as \"4096\", \"64 KiB\" or \"100 MiB\"");
  value = *count;
}

void config_table::read(std::string_view key, std::vector<std::string>& value) {
  const auto* list = content_.get<toml::array>(key, "a list of texts");
  if (list == nullptr) return;
  value.clear();
  for (const toml::node& node : *list) {
    const auto* text = node.as_string();
    if (text == nullptr) return content_.wrong_type(node, key, "a list of texts");
    value.push_back(text->get());
  }
}

void config_table::read_words(std::string_view key, std::vector<std::string>& value) {
  const toml::node* node = content_.find(key);
  if (node == nullptr) return;
  if (const auto* text = node->as_string())
    value = {text->get()};
  else
    read(key, value);
}

void config_table::read(std::string_view key, text_map& value) {
  const auto* map = content_.get<toml::table>(key, "a table");
  if (map == nullptr) return;
  for (const auto& [name, node] : *map) {
    const auto* text = node.as_string();
    if (text == nullptr) {
      return content_.wrong_type(node, fmt::format("{}.{}", key, name.str()), "a text");
    }
    value.insert_or_assign(std::string(name.str()), text->get());
  }
}

void config_table::read(std::string_view key, std::filesystem::path& value) {
  const auto* text = content_.get<std::string>(key, "a path");
  if (text == nullptr) return;
  if (text->empty()) return reject(key, "must not be empty");
  value = content_.file.path.parent_path() / *text;
}

void config_table::table(std::string_view key, const reader& read_table) {
  const auto* inner = content_.get<toml::table>(key, "a table");
  if (inner == nullptr) return;
  content inside{content_.file, *inner, content_.full(key), {}};
  config_table view(inside);
  read_table(view);
  inside.reject_unknown_keys();
}

void config_table::tables(std::string_view key, const reader& read_table) {
  const auto* list = content_.get<toml::array>(key, "a list of tables ([[…]])");
  if (list == nullptr) return;
  for (const toml::node& node : *list) {
    const auto* inner = node.as_table();
    if (inner == nullptr) return content_.wrong_type(node, key, "a list of tables");
    content inside{content_.file, *inner, content_.full(key), {}};
    config_table view(inside);
    read_table(view);
    inside.reject_unknown_keys();
  }
}

void config_table::each_table(
    const std::function<void(std::string_view, config_table&)>& read_table) {
  for (const auto& row : content_.table) {
    const std::string_view key = row.first.str();
    table(key, [&](config_table& inner) { read_table(key, inner); });
  }
}

void config_table::require(std::string_view key) {
  if (content_.table.get(key) != nullptr) return;
  content_.file.fail("config-missing", content_.table.source().begin, content_.full(key),
                     "is missing");
}

void config_table::reject(std::string_view key, std::string_view problem) {
  const toml::node* node = content_.table.get(key);
  const auto at = node == nullptr ? content_.table.source().begin : node->source().begin;
  content_.file.fail("config-value", at, content_.full(key), problem);
}

result<void> read_config(const std::filesystem::path& file, const config_table::reader& read_keys) {
  const auto text = read_small_file(file.string(), "config-file");
  if (!text) return text.error();
  file_state state{file, {}};
  try {
    const toml::table root = toml::parse(*text);
    config_table::content content{state, root, "", {}};
    config_table view(content);
    read_keys(view);
    content.reject_unknown_keys();
  } catch (const toml::parse_error& problem) {
    state.fail("config-syntax", problem.source().begin, "", problem.description());
  }
  if (state.problem) return *std::move(state.problem);
  return {};
}

}  // namespace ima::tools
