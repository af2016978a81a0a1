#include <ima/terminal_text.hpp>

#include <doctest/doctest.h>

using ima::terminal_text;

namespace {

std::string shown(std::string_view text, std::size_t piece) {
  terminal_text shower;
  std::string out;
  for (; !text.empty(); text.remove_prefix(std::min(piece, text.size())))
    out += shower.next(text.substr(0, piece));
  return out + shower.end();
}

}  // namespace

TEST_CASE("a text is shown the same in whatever pieces it comes") {
  for (const auto& [text, wanted] : {std::pair<std::string, std::string>{"", ""},
                                     {"one\n\ntwo\n", "one\n\ntwo\n"},
                                     {"no end", "no end\n"},
                                     {"a\tb\r\n", "a    b\\x0d\n"},
                                     {"Kyōto 京都 \U0001f600!\n", "Kyōto 京都 \U0001f600!\n"},
                                     {"\x1b[2J\u202e\x80", "\\x1b[2J\\u202e\\x80\n"},
                                     {"\xe4\xba", "\\xe4\\xba\n"},
                                     {"\xf0\x9f\nx\xff\xff\xc3", "\\xf0\\x9f\nx\\xff\\xff\\xc3\n"}})
    for (std::size_t piece = 1; piece <= text.size() + 1; ++piece) {
      CAPTURE(piece);
      CHECK(shown(text, piece) == wanted);
    }
}

TEST_CASE("no space hides in a name, and those of other scripts stay") {
  CHECK(ima::printable("a\u00a0b") == "a\u00a0b");
  CHECK(ima::printable_name("pay\u200bpal \u00a0\u00ad\u202e\xff") ==
        "pay\\u200bpal \\u00a0\\u00ad\\u202e\\xff");
  CHECK(ima::printable_name("山田\u3000太郎 \U0001f469\u200d\U0001f4bb") ==
        "山田\u3000太郎 \U0001f469\u200d\U0001f4bb");
}
