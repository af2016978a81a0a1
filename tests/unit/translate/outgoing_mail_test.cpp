#include "mail.hpp"

#include <ima/translate/outgoing_mail.hpp>

using namespace ima;
using translate::outgoing_mail;

namespace {

struct seen {
  std::string text;
  std::vector<std::string> fields;
};

seen read(const std::string& mail) {
  memory_source source(mail);
  auto made = outgoing_mail::read(source, mail.size()).value();
  seen out{std::string(made.size(), '\0'), {}};
  REQUIRE(made.read_at(0, out.text.data(), out.text.size()));
  if (const auto fields = made.recipient_fields())
    out.fields.assign(fields->begin(), fields->end());
  // The same octets, wherever a read begins and ends.
  std::string single(out.text.size(), '\0');
  for (std::size_t i = 0; i < single.size(); ++i) REQUIRE(made.read_at(i, &single[i], 1));
  CHECK(single == out.text);
  return out;
}

std::string repeated(std::string_view text, std::size_t times) {
  std::string out;
  while (times-- > 0) out += text;
  return out;
}

}  // namespace

TEST_CASE("mail goes out without its hidden recipients, however they are written") {
  for (const std::string& field : std::vector<std::string>{
           "Bcc: x@h\n", "bcc : x@h\n", "BCC\t:x@h\n", "Bcc:\n\tx@h\n \n x@h\n",
           "Resent-Bcc: x@h\r\n", "Bcc:x@h\nbcc:\n"}) {
    CAPTURE(field);
    CHECK(read(field + "To: a@b\nSubject: \xff\n\nbody\n").text ==
          "To: a@b\nSubject: \xff\n\nbody\n");
    CHECK(read("To: a@b\n" + field + "\nbody\n").text == "To: a@b\n\nbody\n");
    CHECK(read("From mbox\n" + field + field + "Cc: a@b\n" + field).text == "From mbox\nCc: a@b\n");
    CHECK(read(field + "From mbox\n" + field + "Cc: a@b\n\n" + field).text ==
          "From mbox\nCc: a@b\n\n" + field);
  }
  CHECK(read("").text.empty());
  CHECK(read("Bcc: x@h").text.empty());
  CHECK(read(" Bcc: x@h\n\n").text == " Bcc: x@h\n\n");
  CHECK(read("To: a@b\nno field\nBcc: x@h\n").text == "To: a@b\nno field\nBcc: x@h\n");
  CHECK(read("Bcc: " + std::string(200'000, 'x') + "\n\tx@h\nTo: a@b\n\n").text == "To: a@b\n\n");
}

TEST_CASE("the fields that name recipients are those of who sent the mail last") {
  using list = std::vector<std::string>;
  CHECK(read("To: a@b,\n c@d\nbcc : x@h\nSubject: s\n\nCc: e@f\n").fields ==
        list{" a@b, c@d", " x@h"});
  CHECK(read("To: a@b\nResent-To: c@d\nRESENT-BCC: x@h\n\n").fields == list{" c@d", " x@h"});
}

TEST_CASE("more octets of recipients than memory has room for are not read in part") {
  for (const std::string& mail :
       {"To: " + std::string(100'000, 'x') + "\n\n", "Cc: x" + repeated("\n x", 1 << 20) + "\n\n",
        repeated("bcc:\n", 100'000)}) {
    memory_source source(mail);
    const auto made = outgoing_mail::read(source, mail.size()).value();
    const auto fields = made.recipient_fields();
    REQUIRE_FALSE(fields);
    CHECK(fields.error().rule == "header-limit");
  }
}
