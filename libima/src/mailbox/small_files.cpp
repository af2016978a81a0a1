#include "mailbox/small_files.hpp"

#include "support/try.hpp"

#include <fmt/format.h>

#include <utility>

namespace ima::mailbox {

result<std::optional<std::string>> read_small(file_system& files, const std::string& path) {
  auto opened = files.open(path);
  if (!opened && opened.error().rule == "file-missing") return std::optional<std::string>();
  if (!opened) return opened.error();
  std::string text(longest_small_file, '\0');
  IMA_TRY(count, (*opened)->read_at(0, text));
  text.resize(count);
  return std::optional(std::move(text));
}

result<void> replace_small(file_system& files, const layout::tree& tree, octets text,
                           const std::string& path, const std::string& directory) {
  const std::string unfinished = tree.unfinished();
  const auto build = [&]() -> result<void> {
    IMA_TRY(made, files.create(unfinished));
    IMA_CHECK(made->append(text));
    IMA_CHECK(made->sync());
    return files.rename(unfinished, path);
  };
  if (auto built = build(); !built) {
    (void)files.unlink(unfinished);  // or a leftover
    return built;
  }
  return files.sync_directory(directory);
}

result<void> write_format(file_system& files, const layout::tree& tree) {
  return replace_small(files, tree, layout::format_line, tree.format(), tree.root);
}

result<void> check_format(file_system& files, const layout::tree& tree) {
  IMA_TRY(format, read_small(files, tree.format()));
  if (format == layout::format_line) return {};
  const error wrong{fault::temporary, "mailbox-format", tree.root, ""};
  if (!format) return error{wrong.kind, wrong.rule, wrong.place, "there is no mailbox"};
  const bool other = format->starts_with(layout::format_name) && format->ends_with('\n');
  return error{wrong.kind, wrong.rule, wrong.place,
               other ? fmt::format("the mailbox is \"{}\", and this program knows version 1 alone",
                                   format->substr(0, format->size() - 1))
                     : "its file 'format' is not a mailbox's"};
}

}  // namespace ima::mailbox
