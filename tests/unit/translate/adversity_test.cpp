#include "mail.hpp"

#include <ima/translate/mail_file.hpp>

#include <unistd.h>

#include <string>

namespace {

const std::string sample =
    "From: =?utf-8?q?J=C3=BCrgen?= <j@a.example>\r\nTo: Us: b@b.example, root;\r\nX-Odd_: 1\r\n"
    "Subject: a\r\n b\r\nContent-Type: multipart/signed; boundary=\"s\"\r\n\r\npreamble\r\n--s\r\n"
    "Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\nContent-Type: text/plain; charset=big5"
    "\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=A4=40=\r\n=FF\r\n--m\r\n"
    "Content-Type: image/png; name=\"x.png\"\r\nContent-Transfer-Encoding: "
    "base64\r\n\r\nAAEC*Aw==\r\n"
    "--m--\r\n--s\r\nContent-Type: application/pgp-signature\r\n\r\nsig\r\n--s--\r\nepilogue\r\n";

}  // namespace

TEST_CASE("a mail that is cut anywhere is still a mail, and comes back the same") {
  for (std::size_t size = 0; size <= sample.size(); ++size) {
    const auto message = to_message(sample.substr(0, size));
    const auto mail = to_mail(message);
    const auto back = to_message(mail.text);
    CHECK_MESSAGE(back.header.id_digest() == message.header.id_digest(), size);
  }
}

TEST_CASE("a mail with any octet changed is still a mail") {
  for (std::size_t at = 0; at < sample.size(); ++at) {
    for (const char c : {'\0', '\n', '\xff', '"', '-', ';'}) {
      std::string changed = sample;
      changed[at] = c;
      const auto message = to_message(changed);
      const auto back = to_message(to_mail(message).text);
      CHECK_MESSAGE(back.header.id_digest() == message.header.id_digest(),
                    at << " becomes " << static_cast<int>(c));
    }
  }
}

TEST_CASE("a hundred thousand fields are kept as one part") {
  std::string mail;
  for (int i = 0; i < 100'000; ++i) mail += "X-Field-" + std::to_string(i) + ": value\n";
  mail += "Subject: last\nFrom: a@a.example\n\nbody\n";
  const auto message = to_message(mail);
  CHECK(message.header.size() < ima::limits{}.header_block);
  REQUIRE(message.header.parts().size() == 2);
  CHECK(message.part(1) == "body\n");
  CHECK(message.part(2).size() == mail.size() - 5);
}

TEST_CASE("many fields and many parts have room beside each other") {
  std::string mail = "From: a@a.example\nContent-Type: multipart/mixed; boundary=b\n";
  for (int i = 0; i < 1000; ++i) mail += "X-Field: " + std::string(100, 'x') + "\n";
  mail += "\n";
  for (int i = 0; i < 900; ++i)
    mail += "--b\nContent-Type: image/png; name=" + std::string(80, 'n') + "\n\nx\n";
  const auto message = to_message(mail);
  CHECK(message.header.parts().size() >= 1);
  CHECK(message.header.from().addr.text() == "a@a.example");
  CHECK(to_message(to_mail(message).text).header.id_digest() == message.header.id_digest());
}

TEST_CASE("many known fields still leave room for the author") {
  std::string mail;
  for (int i = 0; i < 900; ++i) mail += "References: <" + std::string(500, 'r') + "@x>\n";
  mail += "From: a@a.example\nTo: b@b.example\n\n";
  const auto message = to_message(mail);
  CHECK(message.header.from().addr.text() == "a@a.example");
  CHECK(message.remarks == std::vector<std::string>{"header"});
}

TEST_CASE("deep nesting and many parts are kept as one part each") {
  std::string deep = "From: a@a.example\n";
  for (int i = 0; i < 3000; ++i) {
    const std::string b = "b" + std::to_string(i);
    deep += "Content-Type: multipart/mixed; boundary=" + b + "\n\n--" + b + "\n";
  }
  const auto nested = to_message(deep);
  REQUIRE(nested.header.parts().size() == 1);
  CHECK(nested.header.parts()[0].media_type == "multipart/mixed");
  CHECK(to_message(to_mail(nested).text).header.id_digest() == nested.header.id_digest());

  std::string wide = "From: a@a.example\nContent-Type: multipart/mixed; boundary=b\n\n";
  const std::size_t body = wide.size();
  for (int i = 0; i < 2000; ++i) wide += "--b\n\n" + std::to_string(i) + "\n";
  const auto flat = to_message(wide);
  REQUIRE(flat.header.parts().size() == 1);
  CHECK(flat.part(1) == wide.substr(body));
  CHECK(flat.remarks == std::vector<std::string>{"entities"});
}

TEST_CASE("lines of any length are read, in fields and bodies") {
  const std::string text(300'000, 'x');
  const auto message = to_message("From: a@a.example\nSubject: " + text + "\n\n" + text + "\n");
  CHECK(message.header.subject().size() > 8000);
  CHECK(message.part(1) == text + "\n");
  CHECK(message.header.parts()[1].name == "header.eml");
  CHECK(to_message(to_mail(message).text).part(1) == text + "\n");
}

TEST_CASE("a boundary at the edge of the buffer is found") {
  for (std::size_t size = 65'500; size < 65'560; ++size) {
    const std::string text = std::string(size, 'x');
    const auto message =
        to_message("From: a@a.example\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\n" +
                   text + "\n--b\n\nsecond\n--b--\n");
    REQUIRE(message.header.parts().size() == 2);
    CHECK(message.part(1) == text);
    CHECK(message.part(2) == "second");
  }
}

TEST_CASE("a boundary is without the space at its end") {
  for (const char* boundary : {"b ", "b\t \t"})
    for (const char* line : {"--b", "--b ", "--b \t"}) {
      const std::string mail = "From: a@a.example\nContent-Type: multipart/mixed; boundary=\"" +
                               std::string(boundary) + "\"\n\n" + line + "\n\none\n" + line +
                               "\n\ntwo\n--b--\n";
      const auto message = to_message(mail);
      REQUIRE(message.header.parts().size() == 2);
      CHECK(message.part(1) == "one");
      CHECK(message.part(2) == "two");
      CHECK(to_message(to_mail(message).text).header.id_digest() == message.header.id_digest());
    }
}

TEST_CASE("more than a thousand recipients are kept in the header's part") {
  std::string mail = "From: a@a.example\nTo: x@x.example";
  for (int i = 0; i < 1500; ++i) mail += ",\n u" + std::to_string(i) + "@x.example";
  const auto message = to_message(mail + "\n\nx\n");
  CHECK(message.header.count("to") == 1000);
  CHECK(message.part(2) == mail + "\n\n");
  const auto again = to_message(to_mail(message).text);
  CHECK(again.header.id_digest() == message.header.id_digest());
}

TEST_CASE("fields of any length are kept, and come back the same") {
  const std::vector<std::pair<std::string, std::string>> fields{
      {"Content-Type: text/plain; charset=us-ascii; x=", ""},
      {"Content-Type: text/", ""},
      {"Content-Type: text/plain; charset=", ""},
      {"Content-Type: image/png; name=\"", " \"\nContent-Transfer-Encoding: base64"},
      {"Content-Transfer-Encoding: base64 ", ""},
      {"Content-Disposition: inline; filename=", "; size=3"},
      {"Content-Disposition: ", ""},
      {"Content-ID: <", ">"},
      {"Content-Description: ", ""}};
  for (const auto& field : fields) {
    for (const std::size_t size : {90U, 998U, 2100U, 4100U, 9000U}) {
      const std::string entity =
          field.first + std::string(size, 'y') + field.second + "\n\nAA*C\xff\n";
      for (const std::string& mail :
           {entity,
            "Content-Type: multipart/related; boundary=b\n\n--b\n" + entity + "--b\n\nx\n"}) {
        const auto message = to_message(mail);
        CHECK_MESSAGE(
            to_message(to_mail(message).text).header.id_digest() == message.header.id_digest(),
            field.first << size);
      }
    }
  }
}

TEST_CASE("what looks like encoded words or like names is read in one pass") {
  std::string words;
  for (int i = 0; i < 100'000; ++i) words += "=?a?q?x";
  std::string people = "x@x.example";
  for (int i = 0; i < 20'000; ++i) people += ", \"Person " + std::to_string(i) + "\" <p@x.example>";
  const auto message = to_message("Subject: " + words + "?=\nTo: " + people + "\n\nx\n");
  CHECK(message.header.count("to") == 1000);
  CHECK(message.header.subject().starts_with("=?a?q?x=?a"));
}

TEST_CASE("a stream that does not end is refused, and one of the longest size is not") {
  using ima::translate::mail_file;
  const auto at_most = [](std::uint64_t octets) {
    ima::limits bounds;
    bounds.stream = octets;
    return bounds;
  };
  const auto endless = mail_file::open("/dev/zero", false, at_most(100'000));
  REQUIRE_FALSE(endless);
  CHECK(endless.error().rule == "stream-size");
  for (const std::size_t size : {10U, 11U}) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    CHECK(::write(ends[1], "01234567890", size) == static_cast<ssize_t>(size));
    ::close(ends[1]);
    const auto mail = mail_file::open("/dev/fd/" + std::to_string(ends[0]), false, at_most(10));
    CHECK(mail.has_value() == (size == 10));
    ::close(ends[0]);
  }
}
