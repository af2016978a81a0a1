#include "mail.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace {

struct draft_part {
  std::string words;  // behind the digest
  std::string type;
  std::string octets;
};

whole_message make(std::string_view lines, const std::vector<draft_part>& parts) {
  std::string text = "ima: 1\n" + std::string(lines);
  whole_message out{to_message("").header, {}, {}};
  for (const draft_part& p : parts) {
    text += "part: " + std::to_string(p.octets.size()) + " " + p.type +
            " sha256=" + ima::digest::of(p.octets).hex() + p.words + "\n";
    out.body += p.octets;
  }
  out.header = ima::header_block::parse(text + "\n").value();
  return out;
}

// The message after it was mail; its digest and body must be the same. Returns the mail.
std::string check_round_trip(const whole_message& message) {
  const std::string mail = to_mail(message).text;
  const whole_message back = to_message(mail);
  CHECK_MESSAGE(back.header.id_digest() == message.header.id_digest(),
                std::string(back.header.text()) << "---\n"
                                                << mail);
  CHECK(back.body == message.body);
  return mail;
}

const std::string lines =
    "id: 7Q2M@a.example\ndate: 2026-11-23T09:30:00Z\nfrom: Alice Example <alice@a.example>\n"
    "to: Bob <bob@b.example>\nto: carol@c.example\nsubject: Photos\n";

}  // namespace

TEST_CASE("a message that make-ima-message makes needs no hint as mail") {
  const std::string mail = check_round_trip(
      make(lines, {{"", "text/plain", "Hello\n"},
                   {" role=attachment name=holiday in Kyōto.jpg", "image/jpeg", "\xff\xd8\x01"}}));
  CHECK(mail.find("IMA-Header") == std::string::npos);
  CHECK(
      mail.starts_with("Message-ID: <7Q2M@a.example>\n"
                       "Date: Mon, 23 Nov 2026 09:30:00 +0000\n"
                       "From: Alice Example <alice@a.example>\n"
                       "To: Bob <bob@b.example>, carol@c.example\nSubject: Photos\n"));
}

TEST_CASE("a header block as long as may be comes back from mail the same") {
  const std::string from = "from: a@a.example\n";
  // What comes behind these lines keeps mail from saying them in their order.
  const std::string out_of_order = "to: b@b.example\nfoo: x\nto: c@c.example\n";
  std::string chinese = "x: ";
  for (int i = 0; i < 2700; ++i) chinese += "日";
  std::string percents = "content-x: " + std::string(80, '%') + "\n";
  for (const std::string& line : {std::string("a: b\n"), chinese + "\n", percents}) {
    const std::size_t room =
        ima::limits{}.header_block - from.size() - out_of_order.size() - 100;  // and the part line
    std::string text = from;
    while (text.size() + line.size() < room) text += line;
    check_round_trip(make(text + out_of_order, {{"", "text/plain", "x\n"}}));
  }
}

TEST_CASE("messages come back from mail with the same digest") {
  const std::vector<std::string> headers{
      "from: a@a.example\n",
      "from: \"Q\" \\ <Ärger> =?utf-8?q?x?= <a@a.example>\n",
      "to: a@a.example\nsubject: first\nfrom: b@b.example\ncc: c@c.example\nto: d@d.example\n",
      "from: a,b;c@a.example\nfrom-x: 1\n",
      "from: a@a.example\nauto: 8-\n",
      "from: xa--\u00fc xn--x <a@a.example>\n",
      "from: a@a.example\nsubject: =?utf-8?q?not_encoded?=\n",
      "from: a@a.example\nsubject: two  spaces ä  ö\n",
      "from: a@a.example\nsubject: " + std::string(3000, 'x') + "\n",
      "from: a@a.example\nsubject: " + std::string(700, 'x') + "ä" + std::string(700, 'y') + "\n",
      "from: a@a.example\ncontent-type: text/html\nmime-version: 7\nsender: x\nmessage-id: y\n",
      "from: a@a.example\nmailer: List <l@l.example>\nvia: l@l.example\nauto: report\n",
      "from: a@a.example\nauto: reply\nx-received: now\nlist-id: Bücher <b.example>\n",
      "from: a@a.example\nmime-field: Subject: unasked\nmime-field: odd\nmime-structure: 9\n",
      "from: a@a.example\nin-reply-to: 1\nreferences: 1\nx: y\nreferences: 2\n",
      "from: unknown@mime.invalid\n",
      "from: a@a.example\ndate: 1972-01-02T00:00:00+13:45\nreply-to: r@r.example\n"};
  for (const std::string& header : headers)
    check_round_trip(make(header, {{"", "text/plain", "x\n"}}));
}

TEST_CASE("parts come back from mail with the same octets and words") {
  const std::vector<draft_part> parts{
      {"", "text/plain", ""},
      {"", "text/plain", "no line end"},
      {"", "text/plain", "dos\r\nlines\r\n"},
      {"", "text/plain", "a\rb\r"},
      {"", "text/plain", std::string("n\0l\n", 4)},
      {"", "text/plain", "ä\n"},
      {"", "text/plain", std::string(2000, 'x') + "\n"},
      {"", "text/plain", "trailing \t \n.\nFrom me\n"},
      {" role=text", "text/html", "<p>\n"},
      {" role=text params=format=flowed;delsp=yes", "text/plain", "a \nb\n"},
      {" params=charset=latin1", "text/plain", "x\n"},
      {" params=broken", "text/plain", "x\n"},
      {" cid=1@x role=inline colour=red", "image/png", std::string("\0\xff\r\n", 4)},
      {" role=attachment name=a\"b\\c; d.txt", "text/plain", "x\r\n"},
      {" role=attachment name=unix.txt", "text/plain", "x\n"},
      {" params=Colour=red;name=x;a?b=c", "text/plain", "x\n"},
      {" cid=<1> filename=other name= indented.txt", "text/plain", "x\n"},
      {" role=attachment disposition=none", "image/png", "x"},
      {" role=attachment params=name=y disposition=none name=x", "image/png", "x"},
      {" disposition=none disposition-params=a=b content-disposition=inline name=x", "x/y", "x"},
      {" params=name=" + std::string(1100, 'n') +
           " disposition=none name=" + std::string(1000, 'n'),
       "image/png", "x"},
      {" disposition=none filename=" + std::string(1100, 'n') + " name=" + std::string(1000, 'n'),
       "text/plain", "x"},
      {" disposition=some", "text/plain", "x"},
      {" role=inline disposition=none", "multipart/x", "x"},
      {" role=attachment original=1", "text/plain", "x\n"},
      {" role=attachment", "message/rfc822", "Subject: x\r\n\r\nbody\r\n"},
      {" role=attachment", "message/rfc822", "no end"},
      {" params=boundary=b", "multipart/signed", "--b\n\nx\n--b--\n"},
      {" from=eve@e.example mime-version=2", "text/plain", "x\n"},
      {" role=alternative", "text/plain", "x\n"}};
  for (const draft_part& one : parts) {
    check_round_trip(make("from: a@a.example\n", {one}));
    check_round_trip(make("from: a@a.example\n", {{"", "text/plain", "text\n"}, one, one}));
    for (const draft_part& other : parts)
      check_round_trip(make("from: a@a.example\n", {one, other}));
  }
  check_round_trip(make("from: a@a.example\n", {}));
  check_round_trip(make("from: a@a.example\n", {{" role=alternative", "text/html", "h"},
                                                {"", "text/plain", "t"},
                                                {" role=inline cid=1", "image/png", "p"}}));
  check_round_trip(make("from: a@a.example\n", {{"", "text/plain", "t"},
                                                {" role=inline cid=1", "image/png", "p"},
                                                {" role=alternative", "text/html", "h"},
                                                {" role=inline cid=2", "image/png", "q"},
                                                {" role=alternative", "text/html", "i"}}));
}

TEST_CASE("part lines of any length come back from mail, but for those that a line hardly holds") {
  const std::vector<std::string> words{" role=attachment name=",
                                       " role=attachment disposition=none name=",
                                       " role=inline cid=",
                                       " role=attachment params=a=",
                                       " role=attachment x-y=",
                                       " role=attachment filename=",
                                       " role=alternative params=a=%",
                                       " content-description="};
  for (const std::string& word : words) {
    for (const std::size_t size : {499U, 1100U, 2500U, 8000U})
      check_round_trip(
          make("from: a@a.example\n",
               {{"", "text/plain", "t\n"}, {word + std::string(size, 'x'), "image/png", "x"}}));
  }
  const auto longest =
      make("from: a@a.example\n", {{" name=" + std::string(8090, 'x'), "a/b", "x"}});
  CHECK(to_mail(longest).remarks == std::vector<std::string>{"length"});
  const auto multipart = [](std::size_t size) {
    return make("from: a@a.example\nmime-structure: mixed;a=" + std::string(size, 'x') + "(1)\n",
                {{"", "text/plain", "t\n"}});
  };
  check_round_trip(multipart(5900));
  CHECK(to_mail(multipart(6000)).remarks == std::vector<std::string>{"length"});
}

TEST_CASE("no line of a header is longer than a line of mail may be") {
  const std::string word(1500, 'x');
  const std::vector<std::string> headers{
      "subject: " + word + "\n",          "x-long: a " + word + "\n",
      "cc: " + word + " <b@b.example>\n", "received: " + word + "\n",
      "mime-field: x_y: " + word + "\n",  "a" + word + ": b\n",
      "content-length: " + word + "\n",   "to: b@b.example\nx: " + word + "\nto: c@c.example\n"};
  for (const std::string& header : headers) {
    for (const std::string& part : {std::string(), " role=inline cid=" + word, " x-note=" + word,
                                    " role=inline params=" + word}) {
      const std::string mail = check_round_trip(make(
          header + "from: a@a.example\n", {{"", "text/plain", "x\n"}, {part, "image/png", "x"}}));
      std::size_t longest = 0;
      for (std::size_t at = 0; at < mail.size(); at = mail.find('\n', at) + 1)
        longest = std::max(longest, mail.find('\n', at) - at);
      CHECK_MESSAGE(longest <= 998, header.substr(0, 20) << part.substr(0, 20));
    }
  }
}

TEST_CASE("a hint that says anything else than the mail is not believed") {
  const auto message = make("to: b@b.example\nfrom: a@a.example\nto: c@c.example\n",
                            {{" role=text", "text/plain", "x\n"}});
  std::string mail = to_mail(message).text;
  REQUIRE(mail.find("IMA-Header: ") != std::string::npos);
  const std::vector<std::pair<std::string, std::string>> changes{
      {"To: b@b.example", "To: e@e.example"}, {"\n\nx\n", "\n\ny\n"}, {"From: a@", "From: z@"}};
  for (const auto& [from, to] : changes) {
    std::string changed = mail;
    changed.replace(changed.find(from), from.size(), to);
    const auto back = to_message(changed);
    CHECK(back.header.id_digest() != message.header.id_digest());
    CHECK(back.header.first("from") == (from[0] == 'F' ? "z@a.example" : "a@a.example"));
    CHECK(back.header.first("to") == (from[0] == 'T' ? "e@e.example" : "b@b.example"));
  }
}

TEST_CASE("the envelope is no part of mail, apart from what mail has for it") {
  const auto message =
      make("received: from x\nfrom: a@a.example\nbcc: d@d.example\nfor: e@e.example\n",
           {{"", "text/plain", "x\n"}});
  const auto mail = to_mail(message);
  CHECK(mail.remarks == std::vector<std::string>{"envelope"});
  CHECK(mail.text.find("e@e.example") == std::string::npos);
  const auto back = to_message(mail.text);
  CHECK(back.header.id_digest() == message.header.id_digest());
  CHECK(back.header.first("bcc") == "d@d.example");
  CHECK(back.header.first("received") == "from x");
}

TEST_CASE("a date that mail cannot say is left out with a remark") {
  const auto mail = to_mail(make("from: a@a.example\ndate: 1066-10-14T09:00:00Z\n", {}));
  CHECK(mail.remarks == std::vector<std::string>{"date"});
  CHECK(mail.text.find("\nDate:") == std::string::npos);
}

TEST_CASE("a received line beyond ASCII comes back") {
  const auto message = to_message("Received: from \xff by b\nFrom: a@a.example\n\nx\n");
  REQUIRE(message.header.count("received") == 1);
  const auto back = to_message(to_mail(message).text);
  CHECK(back.header.text() == message.header.text());
}

TEST_CASE("a disposition of a multipart that held one part comes back") {
  const auto message = to_message(
      "From: a@a.example\nContent-Type: multipart/mixed; boundary=b\nContent-Disposition: inline\n"
      "Content-ID: <c@a.example>\n\n--b\n\nx\n--b--\n");
  REQUIRE(message.header.count("content-disposition") == 1);
  CHECK(to_message(to_mail(message).text).header.text() == message.header.text());
}

TEST_CASE("a disposition of a multipart without parts is that of the part it becomes") {
  const auto message = to_message(
      "From: a@a.example\nContent-Type: multipart/mixed; boundary=b\n"
      "Content-Disposition: attachment; filename=x.bin\n\nnothing\n");
  CHECK(message.header.count("content-disposition") == 0);
  CHECK(message.header.parts()[0].name == "x.bin");
  CHECK(to_message(to_mail(message).text).header.text() == message.header.text());
}

TEST_CASE("a name that looks like encoded words is the same after it was mail") {
  for (const std::string& name :
       {std::string("=?utf-8?q?x?="), std::string("=?"), std::string("a =?utf-8?b?w6k=?= b.pdf"),
        "=?utf-8?q?" + std::string(100, 'x') + "é日本語\"\\;'%?="}) {
    CAPTURE(name);
    const std::string sum = ima::digest::of("x").hex();
    const std::string text =
        "ima: 1\nfrom: a@a.example\nid: 1@a.example\ndate: "
        "2024-01-01T00:00:00Z\npart: 1 application/pdf sha256=" +
        sum + " role=attachment name=" + name + "\n\n";
    const auto header = ima::header_block::parse(text);
    REQUIRE(header);
    const auto back = to_message(to_mail({*header, "x", {}}).text);
    CHECK(back.header.parts()[0].name == name);
    CHECK(back.header.id_digest() == header->id_digest());
  }
}
