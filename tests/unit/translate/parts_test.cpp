#include "mail.hpp"

#include <string>

namespace {

const std::string author = "From: a@a.example\n";

// A part's line without its length and digest.
std::string words_of(const whole_message& message, std::size_t number) {
  std::string line = message.line(number);
  line.erase(0, line.find(' ') + 1);
  const std::size_t sum = line.find(" sha256=");
  return line.erase(sum, 72);
}

}  // namespace

TEST_CASE("text becomes UTF-8 with plain line ends, and its other parameters stay") {
  const auto message = to_message(author +
                                  "Content-Type: text/plain; charset=iso-8859-1; format=flowed\n"
                                  "Content-Transfer-Encoding: quoted-printable\n\n"
                                  "caf=E9 \r\nau=\r\n lait\r\n");
  CHECK(words_of(message, 1) == "text/plain params=format=flowed");
  CHECK(message.part(1) == "café \nau lait\n");
}

TEST_CASE("a body without a type is text; no body is no part") {
  CHECK(words_of(to_message(author + "\nHello\n"), 1) == "text/plain");
  CHECK(to_message(author).header.parts().empty());
  CHECK(to_message(author + "\n").header.parts().empty());
  CHECK(to_message("").header.parts().empty());
}

TEST_CASE("text with a file name is a file and keeps its line ends") {
  const auto message = to_message(author +
                                  "Content-Type: text/csv\n"
                                  "Content-Disposition: attachment; filename=a.csv\n"
                                  "Content-Transfer-Encoding: base64\n\n"
                                  "MSwyDQozLDQNCg==\n");
  CHECK(words_of(message, 1) == "text/csv role=attachment name=a.csv");
  CHECK(message.part(1) == "1,2\r\n3,4\r\n");
}

TEST_CASE("an unfinished group of base64 counts") {
  const auto message = to_message(author +
                                  "Content-Type: image/png\n"
                                  "Content-Transfer-Encoding: base64\n\nAAEC\nAw\n");
  CHECK(message.part(1) == std::string("\0\1\2\3", 4));
}

TEST_CASE("a file in uuencode is read, with its name") {
  const std::string head = author + "Content-Type: image/png\nContent-Transfer-Encoding: ";
  for (const char* coding : {"x-uuencode", "uuencode", "X-UUE", "uue"}) {
    for (const std::string& end : {std::string("\n"), std::string("\r\n")}) {
      const auto message = to_message(head + coding + "\n\n\nbegin 644 a b.png" + end + "#86)C" +
                                      end + "$86)C9   " + end + "`" + end + "end" + end);
      CHECK(message.part(1) == "abcabcd");
      CHECK(words_of(message, 1) == "image/png role=attachment disposition=none name=a b.png");
      CHECK(message.remarks.empty());
      CHECK(to_message(to_mail(message).text).header.text() == message.header.text());
    }
  }
  const auto named = to_message(author +
                                "Content-Type: text/csv; name=mine.csv\n"
                                "Content-Transfer-Encoding: x-uuencode\n\n"
                                "begin 644 x\n#80T*\n `\nend\n");
  CHECK(named.part(1) == "a\r\n");
  CHECK(named.header.parts()[0].name == "mine.csv");
}

TEST_CASE("every octet comes out of uuencode, however long the file is") {
  std::string all;
  for (int i = 0; i < 64 * 1024 + 1; ++i) all += static_cast<char>((i * 7 + i / 256) & 0xff);
  std::string mail = author +
                     "Content-Type: image/png\nContent-Transfer-Encoding: x-uuencode\n\n"
                     "begin 644 x\n";
  const auto letter = [](unsigned value) {
    return static_cast<char>(value == 0 ? '`' : value + 32);
  };
  for (std::size_t at = 0; at < all.size(); at += 45) {
    const std::string line = all.substr(at, 45) + std::string(2, '\0');
    mail += letter(static_cast<unsigned>(line.size() - 2));
    for (std::size_t i = 0; i + 2 < line.size(); i += 3) {
      unsigned bits = 0;
      for (std::size_t k = 0; k < 3; ++k)
        bits = bits << 8U | static_cast<unsigned char>(line[i + k]);
      for (unsigned shift = 24; shift > 0; shift -= 6) mail += letter(bits >> (shift - 6) & 0x3fU);
    }
    mail += '\n';
  }
  const auto message = to_message(mail + "`\nend\n");
  CHECK(message.part(1) == all);
  CHECK(message.remarks.empty());
}

TEST_CASE("what is no whole file in uuencode is read as far as it goes, and kept") {
  for (const std::string& body :
       {std::string("#86)C\n`\nend\n"), std::string("begin 644 x\n#86)C\n"),
        std::string("begin 644 x\n#86\n`\nend\n"), std::string("begin 644 x\n#86)Cabc\n`\nend\n"),
        std::string("begin 644 x\n#86~C\n`\nend\n"), std::string("some words\nbegin 644 x\nend\n"),
        std::string("begin 644 x\n`\nend\nbegin 644 y\n`\nend\n"),
        "begin 644 x\n`\n" + std::string(2000, ' ') + "\nend\n", std::string("begin"),
        std::string()}) {
    CAPTURE(body);
    const auto message =
        to_message(author + "Content-Type: image/png\nContent-Transfer-Encoding: uue\n\n" + body);
    REQUIRE(message.header.parts().size() == 2);
    CHECK(message.part(2) == body);
    CHECK(message.line(2).find(" content-transfer-encoding=x-uuencode") != std::string::npos);
    CHECK(message.remarks == std::vector<std::string>{"transfer-encoding"});
    const auto mail = to_mail(message);
    CHECK(mail.remarks.empty());
    CHECK(to_message(mail.text).header.text() == message.header.text());
  }
}

TEST_CASE("file names are read in every form") {
  const auto name = [&](const std::string& disposition) {
    const auto m = to_message(author + "Content-Type: image/png\nContent-Disposition: attachment;" +
                              disposition + "\n\nx");
    return std::string(m.header.parts()[0].name);
  };
  CHECK(name(" filename=a.png") == "a.png");
  CHECK(name(" filename*=utf-8''Ky%C5%8Dto.png") == "Kyōto.png");
  CHECK(name(" filename*0=\"holiday \"; filename*1=\"in Rome.png\"") == "holiday in Rome.png");
  CHECK(name(" filename=\"=?utf-8?q?Ky=C5=8Dto=2Epng?=\"") == "Kyōto.png");
  CHECK(name(" filename=\"a\n b.png\"") == "a b.png");
  CHECK(name(" filename*1*=%E9t.txt; filename*0*=iso-8859-1''%E9t") == "étét.txt");
  CHECK(name(" filename*10=k; filename*2=c; filename*1=b; filename*0=a; filename*3=d") == "abcdk");
  CHECK(name(" filename=\"r\xe4w.txt\"") == "räw.txt");
}

TEST_CASE("a file name that says its charset stands for the one beside it that does not") {
  const auto read = [&](const std::string& disposition) {
    return to_message(author + "Content-Type: image/png\nContent-Disposition: attachment; " +
                      disposition + "\n\nx");
  };
  const std::string plain = "filename=\"fall;back.txt\"";
  for (const std::string& both :
       {plain + "; filename*=UTF-8''%e2%82%ac%20rates.txt",
        "filename*=UTF-8''%e2%82%ac%20rates.txt; " + plain,
        plain + "; filename*1*=rates.txt; filename*0*=UTF-8''%e2%82%ac%20"}) {
    const auto message = read(both);
    CHECK(message.header.parts()[0].name == "€ rates.txt");
    CHECK(message.header.parts().size() == 1);
    CHECK(to_message(to_mail(message).text).header.text() == message.header.text());
  }
  for (const char* other :
       {"; filename*=", "; filename*=x", "; filename*=x-nothing''a", "; filename*=utf-8''"})
    CHECK(read(plain + other).header.parts()[0].name == "fall;back.txt");
}

TEST_CASE("alternatives, what they show and attachments get their roles") {
  const auto message = to_message(
      author +
      "Content-Type: multipart/mixed; boundary=m\n\n"
      "--m\nContent-Type: multipart/related; boundary=r; type=\"multipart/alternative\"\n\n"
      "--r\nContent-Type: multipart/alternative; boundary=a\n\n"
      "--a\n\nplain\n"
      "--a\nContent-Type: text/html\n\n<img src=\"cid:1\">\n"
      "--a--\n"
      "--r\nContent-Type: image/png\nContent-ID: <1>\nContent-Disposition: inline\n\npng\n"
      "--r--\n"
      "--m\nContent-Type: text/calendar; method=REQUEST\n\nBEGIN:VCALENDAR\n"
      "--m\nContent-Type: message/rfc822\n\nSubject: in\n\ninner\n"
      "--m--\n");
  REQUIRE(message.header.parts().size() == 5);
  CHECK(words_of(message, 1) == "text/plain");
  CHECK(words_of(message, 2) == "text/html role=alternative");
  CHECK(words_of(message, 3) == "image/png role=inline cid=1");
  CHECK(words_of(message, 4) ==
        "text/calendar role=attachment params=method=REQUEST disposition=none");
  CHECK(words_of(message, 5) == "message/rfc822 role=attachment disposition=none");
  CHECK(message.part(5) == "Subject: in\n\ninner");
  CHECK_FALSE(message.header.first("mime-structure"));
}

TEST_CASE("a nesting that roles do not give is said") {
  const auto message = to_message(author +
                                  "Content-Type: multipart/alternative; boundary=a\n\n"
                                  "--a\n\nplain\n"
                                  "--a\nContent-Type: multipart/related; boundary=r\n\n"
                                  "--r\nContent-Type: text/html\n\nhtml\n"
                                  "--r\nContent-Type: image/png\n\npng\n--r--\n--a--\n");
  CHECK(message.header.first("mime-structure") == "alternative(1,related(2,3))");
}

TEST_CASE("what was signed is there octet for octet beside what is read") {
  const std::string body =
      "\r\n--s\r\nContent-Type: text/plain\r\n\r\nI owe you.   \r\n\r\n--s\r\n"
      "Content-Type: application/pgp-signature; name=s.asc\r\n\r\nsignature\r\n--s--\r\n";
  const auto message = to_message(
      "From: a@a.example\r\nContent-Type: multipart/signed; boundary=s; micalg=x\r\n\r\n" + body);
  REQUIRE(message.header.parts().size() == 3);
  CHECK(words_of(message, 1) == "text/plain original=3");
  CHECK(words_of(message, 2) ==
        "application/pgp-signature role=attachment disposition=none original=3 name=s.asc");
  CHECK(words_of(message, 3) == "multipart/signed role=attachment params=boundary=s;micalg=x");
  CHECK(message.part(3) == body);
  const auto mail = to_mail(message).text;
  CHECK(mail.ends_with("\r\n\r\n" + body));
  CHECK(to_message(mail).header.id_digest() == message.header.id_digest());
}

TEST_CASE("what is signed in what is signed is kept once") {
  std::string inner = "--s49\n\ntruth\n";
  for (int i = 48; i >= 0; --i) {
    const std::string boundary = "s" + std::to_string(i);
    inner = "--" + boundary + "\nContent-Type: multipart/signed; boundary=s" +
            std::to_string(i + 1) + "\n\n" + inner;
  }
  const auto message =
      to_message(author + "Content-Type: multipart/signed; boundary=s0\n\n" + inner);
  REQUIRE(message.header.parts().size() == 2);
  CHECK(message.part(2) == inner);
  const auto mail = to_mail(message);
  CHECK(mail.remarks.empty());
  CHECK(mail.text.ends_with(inner));
  CHECK(to_message(mail.text).header.text() == message.header.text());

  const auto both =
      to_message(author +
                 "Content-Type: multipart/mixed; boundary=m\n\n"
                 "--m\nContent-Type: multipart/signed; boundary=s\n\n--s\n\na\n--s--\n"
                 "--m\nContent-Type: multipart/signed; boundary=t\n\n--t\n\nb\n--t--\n"
                 "--m--\n");
  CHECK(both.header.parts().size() == 4);
}

TEST_CASE("text that its charset does not allow is read as far as possible and kept") {
  const auto message = to_message(author + "Content-Type: text/plain; charset=utf-8\n\na\xff z\n");
  CHECK(message.part(1) == "a\xef\xbf\xbd z\n");
  CHECK(words_of(message, 1) == "text/plain original=2");
  CHECK(message.part(2) == "a\xff z\n");
  CHECK(words_of(message, 2) ==
        "application/octet-stream role=attachment content-type=text/plain%3B%20charset=utf-8");
  CHECK(message.remarks == std::vector<std::string>{"charset"});
  CHECK(to_message(to_mail(message).text).header.id_digest() == message.header.id_digest());
}

TEST_CASE("what was broken stands in mail again where it stood, and as it was called") {
  const auto text = to_message(author + "Content-Type: text/plain; charset=utf-8\n\na\xff z\n");
  CHECK(to_mail(text).text.find("Content-Disposition") == std::string::npos);

  const std::string fields = "Content-Description: a picture\nX-Note: 1\n";
  const std::vector<std::pair<std::string, std::string>> types{{"related", "inline"},
                                                               {"mixed", "attachment"}};
  for (const auto& [type, role] : types) {
    for (const std::string& disposition :
         {"Content-Disposition: " + role + "; filename=x.png\n", std::string()}) {
      const auto message = to_message(author + "Content-Type: multipart/" + type +
                                      "; boundary=b\n\n--b\nContent-Type: text/html\n\n<p>\n"
                                      "--b\nContent-Type: image/png; name=x.png\n" +
                                      disposition + "Content-Transfer-Encoding: base64\n" + fields +
                                      "\nAAEC*Aw==\n--b--\n");
      CHECK(message.header.parts()[1].role == role);
      const auto mail = to_mail(message).text;
      CHECK(mail.find("Content-Type: image/png; name=x.png\n" + disposition) != std::string::npos);
      CHECK((mail.find("Content-Disposition") == std::string::npos) == disposition.empty());
      CHECK(mail.find("\n" + fields) != std::string::npos);
      CHECK(to_message(mail).header.text() == message.header.text());
    }
  }
}

TEST_CASE("a message that lies about an original keeps all in mail") {
  auto message = to_message(author +
                            "Content-Type: multipart/signed; boundary=s\n\n"
                            "--s\n\ntruth\n--s\nContent-Type: x/y\n\nsignature\n--s--\n");
  std::string text(message.header.text());
  const std::string truth = ima::digest::of("truth").hex();
  text.replace(text.find(truth), truth.size(), ima::digest::of("a lie").hex());
  message.body.replace(0, 5, "a lie");
  message.header = ima::header_block::parse(text).value();
  const auto mail = to_mail(message);
  CHECK(mail.remarks == std::vector<std::string>{"original", "original"});
  CHECK(mail.text.find("a lie") != std::string::npos);
  CHECK(mail.text.find("truth") != std::string::npos);
}

TEST_CASE("what an entity says beside its type becomes attributes and comes back") {
  const auto message = to_message(author +
                                  "Content-Type: multipart/mixed; boundary=m\n\n"
                                  "--m\nContent-Language: ja\nX-Note: a b%;\n\ntext\n"
                                  "--m\nContent-Type: image/png\nContent-Disposition: inline\n\nx\n"
                                  "--m--\n");
  CHECK(words_of(message, 1) == "text/plain content-language=ja x-note=a%20b%25%3B");
  CHECK(words_of(message, 2) == "image/png role=attachment content-disposition=inline");
  const auto mail = to_mail(message).text;
  CHECK(mail.find("\nX-Note: a b%;\n") != std::string::npos);
  CHECK(mail.find("\nContent-Disposition: inline\n") != std::string::npos);
}

TEST_CASE("what stands around the parts of a multipart is kept and stands there again") {
  const std::string inner =
      "--o\nContent-Type: multipart/alternative; boundary=i\nContent-Description: two forms\n\n"
      "inner preamble\n--i\n\ntext\n--i\nContent-Type: text/html\n\n<p>\n--i--\n";
  const auto message = to_message(author +
                                  "Content-Type: multipart/mixed; boundary=o\n\n"
                                  "This is MIME.\nTwo lines.\n" +
                                  inner + "--o--\n\na footer\n");
  const auto around = message.header.all("mime-multipart");
  REQUIRE(around.size() == 2);
  CHECK(around[0] == "1 preamble=This%20is%20MIME.%0ATwo%20lines. epilogue=a%20footer");
  CHECK(around[1] == "2 content-description=two%20forms preamble=inner%20preamble");
  const auto mail = to_mail(message).text;
  for (const char* kept : {"\n\nThis is MIME.\nTwo lines.\n\n--", "--\na footer\n",
                           "\nContent-Description: two forms\n\ninner preamble\n"})
    CHECK_MESSAGE(mail.find(kept) != std::string::npos, mail);
  CHECK(mail.find("IMA-Header") == std::string::npos);
  CHECK(to_message(mail).header.text() == message.header.text());
}

TEST_CASE("a long text behind the last boundary becomes a part") {
  const std::string mail =
      author + "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--\n";
  const auto at_limit = to_message(mail + std::string(1000, 'e'));
  CHECK(at_limit.header.parts().size() == 1);
  CHECK(at_limit.remarks.empty());
  const auto above = to_message(mail + std::string(1001, 'e'));
  REQUIRE(above.header.parts().size() == 2);
  CHECK(above.header.parts()[1].name == "epilogue.txt");
  CHECK(above.part(2) == std::string(1001, 'e'));
  CHECK(above.remarks == std::vector<std::string>{"epilogue"});
  for (const auto& message : {at_limit, above})
    CHECK(to_message(to_mail(message).text).header.id_digest() == message.header.id_digest());
}

TEST_CASE("what a disposition says beside role and name is kept") {
  const auto message = to_message(
      author +
      "Content-Type: multipart/mixed; boundary=b\n\n--b\n\ntext\n"
      "--b\nContent-Type: image/png\nContent-Disposition: attachment; filename=x.png; "
      "size=2; creation-date=\"Mon, 1 Jan 2024 10:00:00 +0000\"\n\nx\n"
      "--b\nContent-Type: image/png\nContent-Disposition: form-data; name=f\n\nx\n--b--\n");
  CHECK(words_of(message, 2) ==
        "image/png role=attachment disposition-params=size=2;creation-date="
        "Mon,%201%20Jan%202024%2010:00:00%20+0000 name=x.png");
  CHECK(words_of(message, 3) ==
        "image/png role=attachment content-disposition=form-data disposition-params=name=f");
  const auto mail = to_mail(message).text;
  CHECK(mail.find("\nContent-Disposition: form-data; name=f\n") != std::string::npos);
  CHECK(mail.find("; size=2; creation-date=\"Mon,") != std::string::npos);
  CHECK(to_message(mail).header.text() == message.header.text());
}

TEST_CASE("a part has in mail the disposition that it had, or none") {
  std::string name;
  for (int i = 0; i < 60; ++i) name += "long name of a file ";
  const std::vector<std::string> fields{
      "Content-Type: text/calendar; method=REQUEST\n",
      "Content-Type: text/calendar; method=REQUEST; name=invite.ics\n",
      "Content-Type: message/rfc822\n",
      "Content-Type: message/delivery-status\n",
      "Content-Type: image/png\nContent-ID: <1@x>\n",
      "Content-Type: image/png\nContent-Disposition: attachment\n",
      "Content-Type: image/png\nContent-Disposition: inline\n",
      "Content-Type: image/png; name*=utf-8''Ky%C5%8Dto.png\n",
      "Content-Type: text/plain; charset=us-ascii; name=notes.txt\n",
      "Content-Type: application/pdf\nContent-Disposition: attachment; filename=a.pdf\n",
      "Content-Type: image/png; name=\"" + name + "end\"\n"};
  const auto is_in = [](const std::string& mail, const std::string& text) {
    return mail.find("\n" + text) != std::string::npos;
  };
  for (const std::string type : {"mixed", "related", "alternative", "report"}) {
    for (const std::string& one : fields) {
      CAPTURE(type);
      CAPTURE(one);
      const auto message =
          to_message(author + "Content-Type: multipart/" + type + "; boundary=b\n\n--b\n\ntext\n" +
                     "--b\n" + one + "\nX: y\n\n--b--\n");
      CHECK(message.header.parts().size() == 2);
      const auto mail = to_mail(message).text;
      const bool disposed = is_in(one, "Content-Disposition");
      CHECK(is_in(mail, "Content-Disposition") == disposed);
      CHECK_MESSAGE(is_in(mail, one.substr(0, one.find_first_of(";\n"))), mail);
      if (disposed) CHECK_MESSAGE(is_in(mail, one.substr(one.find('\n') + 1)), mail);
      CHECK(to_message(mail).header.text() == message.header.text());
    }
  }
}

TEST_CASE("a part line that says nothing of a disposition has the one of its role") {
  for (const char* role : {"attachment", "inline"}) {
    const auto message =
        to_message(author + "Content-Type: image/png\nContent-Disposition: attachment\n\nx");
    std::string text(message.header.text());
    text.replace(text.find("role=attachment") + 5, 10, role);
    const whole_message other{ima::header_block::parse(text).value(), message.body, {}};
    CHECK(to_mail(other).text.find("\nContent-Disposition: " + std::string(role) + "\n") !=
          std::string::npos);
  }
}

TEST_CASE("the header is kept where something about the body stands twice or is nothing") {
  for (const char* fields :
       {"Content-Type: text/html\nContent-Type: text/plain\n", "Content-Type: text\n",
        "Content-Type: text/plain; x=1; x=2\n", "Content-Disposition: inline; a=1; a=2\n"}) {
    const auto message = to_message(author + fields + "\nx\n");
    REQUIRE(message.header.parts().size() == 2);
    CHECK(message.part(2) == author + fields + "\n");
    CHECK(to_message(to_mail(message).text).header.id_digest() == message.header.id_digest());
  }
}

TEST_CASE("a transfer encoding is its field's first word") {
  for (const char* coding : {"base64", "BASE64", "base64;", "base64 (by hand)"})
    CHECK(to_message(author + "Content-Transfer-Encoding: " + coding + "\n\naGVsbG8K\n").part(1) ==
          "hello\n");
}

TEST_CASE("a related whose first text lies about its charset nests as before") {
  const auto message = to_message(author +
                                  "Content-Type: multipart/related; boundary=b\n\n"
                                  "--b\nContent-Type: text/html; charset=us-ascii\n\n<p>\xff\n"
                                  "--b\nContent-Type: image/png\n\nx\n--b--\n");
  const auto mail = to_mail(message).text;
  CHECK(mail.find("type=\"text/html\"") != std::string::npos);
  CHECK(to_message(mail).header.text() == message.header.text());
}
