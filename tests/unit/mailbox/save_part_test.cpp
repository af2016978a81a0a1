#include "fixture.hpp"

#include <ima/mailbox/save_part.hpp>

#include <algorithm>
#include <fstream>

using namespace mailbox_test;

namespace {

// A part whose octets can be read up to a point.
class cut_part : public mb::part_source {
 public:
  cut_part(std::string text, std::uint64_t size) : text_(std::move(text)), size_(size) {}
  std::uint64_t size() const noexcept override { return size_; }
  ima::result<std::size_t> read_at(std::uint64_t offset, std::span<char> into) const override {
    return text_.copy(into.data(), into.size(), offset);
  }

 private:
  std::string text_;
  std::uint64_t size_;
};

ima::part_info line_of(const std::string& text) {
  ima::part_info line;
  line.size = text.size();
  line.sha256 = ima::digest::of(text);
  return line;
}

std::string content(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::string> names(const std::string& directory) {
  std::vector<std::string> out;
  for (const auto& one : std::filesystem::directory_iterator(directory))
    out.push_back(one.path().filename().string());
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

TEST_CASE("a part is saved whole under its name, or not at all") {
  const temporary_directory place;
  auto& files = mb::posix_file_system();
  const std::string to = place / "to";
  REQUIRE(files.make_directory(to));
  const std::string text(200'000, 'x');
  const ima::part_info line = line_of(text);
  const auto save = [&](const cut_part& part, const ima::part_info& what, const char* name) {
    return mb::save_part(part, what, files, to, name);
  };
  const auto cut = save(cut_part(text, text.size() + 1), line, "2-a.bin");
  REQUIRE_FALSE(cut);
  CHECK(cut.error().rule == "message-damaged");
  const auto other = save(cut_part(std::string(200'000, 'y'), text.size()), line, "2-a.bin");
  REQUIRE_FALSE(other);
  CHECK(other.error().rule == "message-damaged");
  const auto shorter = save(cut_part(text, 5), line, "2-a.bin");
  REQUIRE_FALSE(shorter);
  CHECK(shorter.error().rule == "message-damaged");
  CHECK(names(to).empty());
  REQUIRE(save(cut_part(text, text.size()), line, "2-a.bin"));
  CHECK(content(to + "/2-a.bin") == text);
  const auto again = save(cut_part("other", 5), line_of("other"), "2-a.bin");
  REQUIRE_FALSE(again);
  CHECK(again.error().rule == "file-exists");
  CHECK(content(to + "/2-a.bin") == text);
  REQUIRE(save(cut_part("", 0), line_of(""), "3"));
  CHECK(names(to) == std::vector<std::string>{"2-a.bin", "3"});
}
