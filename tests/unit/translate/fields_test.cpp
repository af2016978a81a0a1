#include "idn.hpp"
#include "mail.hpp"

#include <string>

namespace {

// The lines that a mail with this header gets, parts apart.
std::string lines_of(std::string_view header) {
  const auto message = to_message(std::string(header) + "\n");
  std::string out;
  for (const auto& f : message.header.fields())
    if (f.name != "part" && f.name != "ima")
      out.append(f.name).append(": ").append(f.value).append("\n");
  return out;
}

const std::string nobody = "from: unknown@mime.invalid\n";

}  // namespace

TEST_CASE("addresses become one line each, with their names decoded") {
  CHECK(lines_of("From: Alice <alice@A.Example>\n") == "from: Alice <alice@a.example>\n");
  CHECK(
      lines_of("From: \"Doe, Jane\" <jane@a.example>\nTo: b@b.example,\n \"c\" <c@c.example>\n") ==
      "from: Doe, Jane <jane@a.example>\nto: b@b.example\nto: c <c@c.example>\n");
  CHECK(lines_of("From: =?iso-8859-1?q?J=FCrgen?= =?utf-8?b?IFM=?= <j@a.example>\n") ==
        "from: Jürgen S <j@a.example>\n");
  CHECK(lines_of("From: Jürgen <jürgen@A.Example>\n") == "from: Jürgen <jürgen@a.example>\n");
  CHECK(lines_of("From: \"john.doe\"@a.example\n") == "from: john.doe@a.example\n");
}

TEST_CASE("a hostpart of mail becomes A-labels" * doctest::skip(!ima::test::has_idn())) {
  CHECK(lines_of("From: Jürgen <jürgen@Bücher.Example>\n") ==
        "from: Jürgen <jürgen@xn--bcher-kva.example>\n");
}

TEST_CASE("without libidn2, an address whose hostpart is not ASCII stays as it was" *
          doctest::skip(ima::test::has_idn())) {
  CHECK(lines_of("From: a@a.example\nTo: Jürgen <jürgen@bücher.example>\n") ==
        "from: a@a.example\nmime-field: To: Jürgen <jürgen@bücher.example>\n");
}

TEST_CASE("what an address line cannot say stands before it as it was") {
  CHECK(lines_of("From: a@a.example\nTo: Friends: b@b.example, c@c.example;\n") ==
        "from: a@a.example\nmime-field: To: Friends: b@b.example, c@c.example;\n"
        "to: b@b.example\nto: c@c.example\n");
  CHECK(lines_of("From: a@a.example (Alice)\n") ==
        "mime-field: From: a@a.example (Alice)\nfrom: a@a.example\n");
  CHECK(lines_of("From: root\nTo: x@[192.0.2.1]\n") ==
        "mime-field: From: root\nfrom: unknown@mime.invalid\nmime-field: To: x@[192.0.2.1]\n");
  CHECK(lines_of("From: a@a.example, b@b.example\n") ==
        "mime-field: From: a@a.example, b@b.example\nfrom: a@a.example\n");
  CHECK(lines_of("To: undisclosed-recipients:;\n") ==
        nobody + "mime-field: To: undisclosed-recipients:;\n");
}

TEST_CASE("encoded words that share a character or lack padding are read whole") {
  CHECK(lines_of("Subject: =?utf-8?b?w6TD?=\n =?utf-8?b?pA==?= x\n") == nobody + "subject: ää x\n");
  CHECK(lines_of("Subject: =?utf-8?B?eHB0bw?=\n") == nobody + "subject: xpto\n");
  CHECK(lines_of("Subject: =?no-such-charset?q?a?=\n") == nobody + "subject: a\n");
}

TEST_CASE("dates, ids and threading keep what they say") {
  CHECK(lines_of("Date: Mon, 23 Nov 2026 18:30:00 +0900\nMessage-ID: <1@a.example>\n"
                 "In-Reply-To: <0@a.example>\nReferences: <8@a>\n\t<9@a>\n") ==
        nobody +
            "date: 2026-11-23T18:30:00+09:00\nid: 1@a.example\nin-reply-to: 0@a.example\n"
            "references: 8@a\nreferences: 9@a\n");
  CHECK(lines_of("Date: Tue, 28 May 1996 12:24:23 cst\n") ==
        nobody + "date: 1996-05-28T12:24:23-06:00\n");
  CHECK(lines_of("Date: yesterday\nMessage-ID: none\n") ==
        nobody + "mime-field: Date: yesterday\nmime-field: Message-ID: none\n");
  CHECK(lines_of("In-Reply-To: Your letter <1@a>\n") ==
        nobody + "mime-field: In-Reply-To: Your letter <1@a>\nin-reply-to: 1@a\n");
}

TEST_CASE("a date that is not wholly understood is kept, and read where it has a time") {
  const auto kept = [](const std::string& value) {
    return nobody + "mime-field: Date: " + value + "\n";
  };
  for (const char* in_part : {"Mon,1 Jan 2024 10:30:15+0100", "1 Jan 2024 10.30.15 +0100",
                              "1 Jan 2024 10:30:15.123 +0100", "1 Jan 2024 10h30 +0100"})
    CHECK(lines_of("Date: " + std::string(in_part) + "\n") == kept(in_part));
  for (const auto& given :
       {std::pair{"1 Jan 2024 10:30:15 CET", "2024-01-01T10:30:15Z"},
        std::pair{"1 Jan 2024 03:04:05 PM +0000", "2024-01-01T03:04:05Z"},
        std::pair{"Tue, 1 Jan 2024 10:30:15 +0100", "2024-01-01T10:30:15+01:00"},
        std::pair{"1 Jan 24 10:30:15 +0100", "2024-01-01T10:30:15+01:00"},
        std::pair{"1 Jan 2024 10:30:15", "2024-01-01T10:30:15Z"}})
    CHECK(lines_of("Date: " + std::string(given.first) + "\n") ==
          kept(given.first) + "date: " + given.second + "\n");
  for (const char* whole : {"Mon, 1 Jan 2024 09:30:00 +0000 (UTC)", "1 jan 2024 9:30 gmt",
                            "Mon,1 Jan 2024 9:30:00 UT", "01 Jan 2024 09:30 -0000"})
    CHECK(lines_of("Date: " + std::string(whole) + "\n") ==
          nobody + "date: 2024-01-01T09:30:00Z\n");
}

TEST_CASE("a second field of a kind that may stand once is kept, and the first counts") {
  CHECK(lines_of("Subject: one\nSubject: two\n") ==
        nobody + "subject: one\nmime-field: Subject: two\n");
}

TEST_CASE("no field of a stranger becomes a line that means something to us") {
  CHECK(lines_of("Part: 1 text/plain\nFor: eve@e.example\nVia: a@a.example\nMailer: x@x.example\n"
                 "Mime-Field: To: x\nMime-Structure: 1\nIma: 1\nId: 7\nAuto: reply\n") ==
        nobody +
            "mime-field: Part: 1 text/plain\nmime-field: For: eve@e.example\n"
            "mime-field: Via: a@a.example\nmime-field: Mailer: x@x.example\n"
            "mime-field: Mime-Field: To: x\nmime-field: Mime-Structure: 1\nmime-field: Ima: 1\n"
            "mime-field: Id: 7\nmime-field: Auto: reply\n");
  CHECK(lines_of("IMA-Field: for: eve@e.example\nIMA-Field: received: x\n") ==
        nobody + "mime-field: IMA-Field: for: eve@e.example\nmime-field: IMA-Field: received: x\n");
}

TEST_CASE("fields nobody knows keep their value, and odd ones their name") {
  CHECK(lines_of("X-Foo: a\n  b\t=?utf-8?q?=C3=A4?=\nX_Odd: 1\nX-Empty:\nList-Id: <l.example>\n") ==
        nobody +
            "x-foo: a  b ä\nmime-field: X_Odd: 1\nmime-field: X-Empty:\nlist-id: <l.example>\n");
}

TEST_CASE("automatic mail says so, and trace fields keep their meaning") {
  CHECK(lines_of("Auto-Submitted: auto-replied\n") == nobody + "auto: reply\n");
  CHECK(lines_of("Auto-Submitted: auto-generated; ima=report\n") == nobody + "auto: report\n");
  CHECK(lines_of("Auto-Submitted: no\n") == nobody + "auto-submitted: no\n");
  CHECK(lines_of("Received: from a\n by b\nSender: s@s.example\n") ==
        nobody + "received: from a by b\nmailer: s@s.example\n");
}

TEST_CASE("a header with octets that no line can hold is kept as a part") {
  const auto message = to_message("Subject: caf\xe9\nX-Bell: \a\nFrom: a@a.example\n\nx\n");
  CHECK(message.header.subject() == "café");
  REQUIRE(message.header.parts().size() == 2);
  CHECK(message.header.parts()[1].media_type == "message/rfc822");
  CHECK(message.header.parts()[1].name == "header.eml");
  CHECK(message.part(2) == "Subject: caf\xe9\nX-Bell: \a\nFrom: a@a.example\n\n");
}

TEST_CASE("a field with a NUL is kept in the header as it was") {
  using namespace std::string_literals;
  const auto message = to_message("From: a@a.example\nX-N: a\0b\n\nx\n"s);
  REQUIRE(message.header.parts().size() == 2);
  CHECK(message.header.parts()[1].name == "header.eml");
}

TEST_CASE("a mail without any field has no header to keep") {
  CHECK(to_message("this is no header\nat all\n").header.parts().size() == 1);
}
