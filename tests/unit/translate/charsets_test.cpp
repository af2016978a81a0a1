#include "mail.hpp"

#include <string>
#include <utility>
#include <vector>

namespace {

whole_message text_in(const std::string& charset, const std::string& octets) {
  return to_message("From: a@a.example\nContent-Type: text/plain; charset=" + charset +
                    "\nContent-Transfer-Encoding: 8bit\n\n" + octets);
}

void check_kept(const whole_message& message, const std::string& text, const std::string& octets) {
  REQUIRE(message.header.parts().size() == 2);
  CHECK(message.part(1) == text);
  CHECK(message.part(2) == octets);
  CHECK(message.remarks == std::vector<std::string>{"charset"});
  CHECK(to_message(to_mail(message).text).header.text() == message.header.text());
}

}  // namespace

TEST_CASE("a charset that says what it means is read without a remark") {
  const std::vector<std::pair<std::string, std::string>> texts{
      {"us-ascii", "cafe\n"},         {"iso-8859-1", "caf\xe9\n"},
      {"windows-1252", "caf\xe9\n"},  {"latin-1", "caf\xe9\n"},
      {"latin9", "caf\xe9\n"},        {"latin-2", "caf\xe9\n"},
      {"\"iso8859_1\"", "caf\xe9\n"}, {"unicode-1-1-utf-7", "caf+AOk-\n"},
      {"x-mac-roman", "caf\x8e\n"},   {"utf-8", "caf\xc3\xa9\n"}};
  for (const auto& each : texts) {
    const auto& charset = each.first;
    const auto& octets = each.second;
    CAPTURE(charset);
    const auto message = text_in(charset, octets);
    CHECK(message.part(1) == (charset == "us-ascii" ? "cafe\n" : "café\n"));
    CHECK(message.remarks.empty());
    CHECK(message.header.parts().size() == 1);
  }
}

TEST_CASE("labels that only mail programs know are known") {
  const std::vector<std::pair<std::string, std::string>> labels{
      {"windows-31j", "\x87\x40"},   {"x-sjis", "\x93\xfa"},   {"ms949", "\x8c\x63"},
      {"x-windows-949", "\x8c\x63"}, {"x-gbk", "\xc4\xe3"},    {"ks_c_5601", "\xb9\xe6"},
      {"x-euc-jp", "\xc6\xfc"},      {"x-x-big5", "\xa4\xa4"}, {"tis-620", "\xa1"},
      {"iso-8859-8-i", "\xe0"},      {"win-1251", "\xc6"},     {"windows1251", "\xc6"},
      {"cp-1251", "\xc6"},           {"x-cp1251", "\xc6"}};
  const std::vector<std::string> texts{"①",  "日", "똠", "똠", "你", "방", "日",
                                       "中", "ก",  "א",  "Ж",  "Ж",  "Ж",  "Ж"};
  for (std::size_t i = 0; i < labels.size(); ++i) {
    CAPTURE(labels[i].first);
    const auto message = text_in(labels[i].first, labels[i].second + "\n");
    CHECK(message.part(1) == texts[i] + "\n");
    CHECK(message.remarks.empty());
  }
}

TEST_CASE("what a label means beyond its letter is read, and the octets are kept") {
  const std::vector<std::pair<std::string, std::string>> texts{
      {"us-ascii",
       "\xe2\x80\x9c"
       "caf\xe9\xe2\x80\x9d \x80\n"},
      {"euc-kr", "\x8c\x63\xb9\xe6\n"},
      {"ks_c_5601-1987", "\x8c\x63\xb9\xe6\n"},
      {"shift_jis", "\x87\x40\x93\xfa\n"},
      {"gb2312", "\x96\x7c\xb9\xfa\n"},
      {"iso-2022-jp", "\x1b(I1\x1b(B\n"}};
  const std::vector<std::string> read{"“café” €\n", "똠방\n", "똠방\n", "①日\n", "東国\n", "ｱ\n"};
  for (std::size_t i = 0; i < texts.size(); ++i) {
    CAPTURE(texts[i].first);
    check_kept(text_in(texts[i].first, texts[i].second), read[i], texts[i].second);
  }
}

TEST_CASE("controls that nobody sees are no text of another charset than Unicode's") {
  for (const char* const latin : {"iso-8859-1", "latin1", "iso-8859-15"})
    check_kept(text_in(latin, "a\x93\n"), "a\xc2\x93\n", "a\x93\n");
  check_kept(text_in("iso-2022-jp", "\x1b$X1\n"), "\x1b$X1\n", "\x1b$X1\n");
  CHECK(text_in("utf-8", "a\xc2\x93\n").remarks.empty());
  CHECK(text_in("us-ascii", "a\x1b[1mb\n").remarks.empty());
}

TEST_CASE("a text of an unknown charset is kept, also where it looks like ASCII") {
  check_kept(text_in("hz-gb-2312", "~{VPND~}\n"), "~{VPND~}\n", "~{VPND~}\n");
  check_kept(text_in("x-nothing", "text\n"), "text\n", "text\n");
  check_kept(text_in(std::string(101, 'x'), "text\n"), "text\n", "text\n");
}

TEST_CASE("encoded words are read by the same labels as texts") {
  const auto subject = [](const std::string& word) {
    const auto message = to_message("From: a@a.example\nSubject: " + word + "\n\n");
    return std::string(message.header.first("subject").value_or(""));
  };
  CHECK(subject("=?ks_c_5601-1987?Q?=8Cc=B9=E6?=") == "똠방");
  CHECK(subject("=?shift_jis?B?h0A=?=") == "①");
}
