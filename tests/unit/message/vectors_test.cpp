#include <ima/header.hpp>

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

namespace {

struct vector_case {
  bool good = false;
  std::string expected;  // digest or rule
  std::string description;
  std::string block;
};

std::string unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    ++i;
    out += text[i] == 'r' ? '\r' : text[i] == '0' ? '\0' : text[i];
  }
  return out;
}

std::vector<vector_case> load() {
  const char* const tests = std::getenv("IMA_TESTS");
  REQUIRE(tests != nullptr);
  std::ifstream file(std::string(tests) + "/vectors/message.txt");
  std::vector<vector_case> cases;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("good ") || line.starts_with("bad ")) {
      const std::size_t first = line.find(' ');
      const std::size_t second = line.find(' ', first + 1);
      cases.push_back({line[0] == 'g', line.substr(first + 1, second - first - 1),
                       line.substr(second + 1), ""});
    } else if (line.starts_with("|")) {
      cases.back().block += unescape(line.size() > 2 ? line.substr(2) : "") + "\n";
    }
  }
  return cases;
}

}  // namespace

TEST_CASE("every vector of the message format reads as written") {
  const auto cases = load();
  REQUIRE(cases.size() >= 10);
  for (const vector_case& c : cases) {
    CAPTURE(c.description);
    const auto parsed = ima::header_block::parse(c.block);
    CHECK(parsed.has_value() == c.good);
    if (parsed) {
      CHECK(parsed->id_digest().hex() == c.expected);
      CHECK(parsed->text() == c.block);
    } else {
      CHECK(parsed.error().rule == c.expected);
    }
  }
}
