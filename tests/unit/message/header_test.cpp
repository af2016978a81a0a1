#include "idn.hpp"

#include <ima/header.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace {

const std::string sum_empty = ima::digest::of("").hex();

std::string block(std::string_view lines) { return "ima: 1\n" + std::string(lines) + "\n"; }

std::string rule_of(const std::string& text, const ima::limits& bounds = {}) {
  const auto parsed = ima::header_block::parse(text, bounds);
  return parsed ? "" : std::string(parsed.error().rule);
}

const std::string photos = block(
    "id: 7Q2M@a.example\n"
    "date: 2026-11-23T09:30:00Z\n"
    "from: Alice Example <alice@a.example>\n"
    "to: Bob <bob@b.example>\n"
    "to: carol@c.example\n"
    "bcc: dan@b.example\n"
    "subject: Photos\n"
    "x-unknown: kept: as it is\n"
    "part: 0 text/plain sha256=" +
    sum_empty +
    "\n"
    "part: 0 image/jpeg sha256=" +
    sum_empty + " role=attachment name=holiday in Kyōto.jpg\n");

}  // namespace

TEST_CASE("a header block keeps its octets, its order and its unknown headers") {
  const auto h = ima::header_block::parse(photos).value();
  CHECK(h.text() == photos);
  CHECK(h.fields().size() == 11);
  CHECK(h.first("x-unknown") == "kept: as it is");
  CHECK(h.from().display_name == "Alice Example");
  CHECK(h.originator().text() == "alice@a.example");
  CHECK(h.subject() == "Photos");
  CHECK(h.date()->text() == "2026-11-23T09:30:00Z");
  REQUIRE(h.parts().size() == 2);
  CHECK(h.parts()[1].name == "holiday in Kyōto.jpg");
  CHECK(h.parts()[1].role == "attachment");
}

TEST_CASE("recipients are to, cc and bcc, or only the for: lines where there are any") {
  const auto h = ima::header_block::parse(photos).value();
  REQUIRE(h.recipients().size() == 3);
  CHECK(h.recipients()[2].text() == "dan@b.example");
  const auto listed =
      ima::header_block::parse(block("from: a@a.example\nto: l@l.example\nfor: x@b.example\n"
                                     "for: X@b.example\nbcc: y@b.example\n"))
          .value();
  REQUIRE(listed.recipients().size() == 1);
  CHECK(listed.recipients()[0].text() == "x@b.example");
}

TEST_CASE("the digest leaves out bcc, for and received lines and nothing else") {
  const auto h = ima::header_block::parse(photos).value();
  const auto without = h.for_recipient(ima::address::parse("bob@b.example").value());
  CHECK(without.text().find("bcc:") == std::string_view::npos);
  CHECK(without.id_digest() == h.id_digest());
  CHECK(without.id_digest() == ima::digest::of(without.text()));
  CHECK(h.with_line("received: somewhere").value().id_digest() == h.id_digest());
  CHECK(h.with_line("x-more: text").value().id_digest() != h.id_digest());
}

TEST_CASE("a line that is added is one line") {
  const auto h = ima::header_block::parse(photos).value();
  const auto two = h.with_line("x-more: text\nbcc: dan@d.example");
  REQUIRE_FALSE(two);
  CHECK(two.error().rule == "line-control");
  CHECK(two.error().place == "header line 2, octet 13");
  CHECK(h.with_line("").error().rule == "blank-line");
}

TEST_CASE("a header without addresses has none to give") {
  const auto h = ima::header_block::parse(block("from: a@a.example\nsubject: Photos\n"
                                                "x-of: nobody\nx-of: b@b.example\n"))
                     .value();
  CHECK(h.addresses("subject").empty());
  REQUIRE(h.addresses("x-of").size() == 1);
  CHECK(h.addresses("x-of")[0].addr.text() == "b@b.example");
}

TEST_CASE("bcc is private: a copy for a recipient or a host names no other") {
  const auto h = ima::header_block::parse(block("from: a@a.example\nbcc: B@b.example\n"
                                                "bcc: c@c.example\nbcc: d@b.example\n"))
                     .value();
  const auto his = h.for_recipient(ima::address::parse("b@b.example").value());
  REQUIRE(his.all("bcc").size() == 1);
  CHECK(his.first("bcc") == "B@b.example");
  CHECK(h.for_host("b.example").all("bcc").size() == 2);
  CHECK(h.for_host("d.example").all("bcc").empty());
}

TEST_CASE("what breaks a rule is refused under that rule's word") {
  const std::string from = "from: a@a.example\n";
  const std::string big = std::string(8192, 'x');
  struct row {
    std::string text;
    std::string_view rule;
  };
  const std::vector<row> rows{
      {"", "truncated"},
      {"ima: 1\n", "truncated"},
      {"ima: 1\nfrom: a@a.example\n", "truncated"},
      {"ima: 2\nfrom: a@a.example\n\n", "version"},
      {"from: a@a.example\n\n", "version"},
      {"ima: 1 \nfrom: a@a.example\n\n", "version"},
      {block(from + "ima: 1\n"), "repeated"},
      {block(""), "from-missing"},
      {block(from + from), "repeated"},
      {block(from + "subject: a\nsubject: b\n"), "repeated"},
      {block(from + "\nto: b@b.example\n"), "blank-line"},
      {block(from + "subject: a\r\n"), "line-control"},
      {block(from + std::string("subject: a\0b\n", 13)), "line-control"},
      {block(from + "subject: a\tb\n"), "line-control"},
      {block(from + "subject: a\xc2\x85\n"), "line-control"},
      {block(from + "subject: \xff\n"), "line-utf8"},
      {block(from + "subject: \xed\xa0\x80\n"), "line-utf8"},
      {block(from + "subject: \xc0\xaf\n"), "line-utf8"},
      {block(from + " folded: a\n"), "line-syntax"},
      {block(from + "Subject: a\n"), "line-syntax"},
      {block(from + "subject:a\n"), "line-syntax"},
      {block(from + "subject: \n"), "line-syntax"},
      {block(from + "subject:  a\n"), "line-syntax"},
      {block(from + "subject: a \n"), "line-syntax"},
      {block(from + "x-" + big + ": a\n"), "line-length"},
      {block("from: a\n"), "address-syntax"},
      {block("from: @a.example\n"), "address-local"},
      {block("from: a b@a.example\n"), "address-local"},
      {block("from: a@A.example\n"), "hostpart"},
      {block("from: a@127.0.0.1\n"), "hostpart"},
      {block("from: a@a..example\n"), "hostpart"},
      {block("from: a@a.example.\n"), "hostpart"},
      {block("from: a@b@c.example\n"), "hostpart"},
      {block("from: <a@a.example>\n"), "display-name"},
      {block(from + "for: B <b@b.example>\n"), "address-local"},
      {block(from + "date: 2026-11-23T09:30:00+00:00\n"), "date-syntax"},
      {block(from + "date: 2026-02-29T09:30:00Z\n"), "date-syntax"},
      {block(from + "date: 2026-11-23T09:30:60Z\n"), "date-syntax"},
      {block(from + "id: <a@b>\n"), "id-syntax"},
      {block(from + "auto: Report\n"), "auto-syntax"},
      {block(from + "part: 1 text/plain\n"), "part-syntax"},
      {block(from + "part: 01 text/plain sha256=" + sum_empty + "\n"), "part-length"},
      {block(from + "part: -1 text/plain sha256=" + sum_empty + "\n"), "part-length"},
      {block(from + "part: 99999999999999999999 text/plain sha256=" + sum_empty + "\n"),
       "part-length"},
      {block(from + "part: 1 Text/plain sha256=" + sum_empty + "\n"), "media-type"},
      {block(from + "part: 1 text/plain sha256=abc\n"), "digest-syntax"},
      {block(from + "part: 1 text/plain sha256=" + sum_empty + " role=main\n"), "part-role"},
      {block(from + "part: 1 text/plain sha256=" + sum_empty + " cid=a cid=b\n"), "part-attribute"},
      {block(from + "part: 0 text/plain sha256=" + sum_empty + " x=1 y=1 x=2\n"), "part-attribute"},
      {block(from + "part: 1 text/plain sha256=" + sum_empty + "  cid=a\n"), "part-syntax"},
      {block(from + "part: 1 text/plain sha256=" + sum_empty + " name=\n"), "part-attribute"},
  };
  for (const row& r : rows) {
    CAPTURE(r.text);
    CHECK(rule_of(r.text) == r.rule);
  }
}

TEST_CASE("an error names the line it stands in") {
  const auto bad = ima::header_block::parse(block("from: a@a.example\nsubject: a\rb\n"));
  REQUIRE(!bad);
  CHECK(bad.error().place == "header line 3, octet 11");
  CHECK(bad.error().kind == ima::fault::peer);
}

TEST_CASE("each limit allows its value and refuses one more") {
  const std::string from = "from: a@a.example\n";
  ima::limits bounds;
  bounds.recipients = 2;
  bounds.received = 1;
  bounds.parts = 1;
  bounds.body = 10;
  const std::string to = "to: b@b.example\n";
  const std::string part = "part: 10 text/plain sha256=" + sum_empty + "\n";
  CHECK(rule_of(block(from + to + to), bounds).empty());
  CHECK(rule_of(block(from + to + to + to), bounds) == "recipients-limit");
  CHECK(rule_of(block(from + "received: x\n"), bounds).empty());
  CHECK(rule_of(block(from + "received: x\nreceived: y\n"), bounds) == "received-limit");
  CHECK(rule_of(block(from + part), bounds).empty());
  CHECK(rule_of(block(from + part + part), bounds) == "parts-limit");
  CHECK(rule_of(block(from + "part: 11 text/plain sha256=" + sum_empty + "\n"), bounds) ==
        "body-limit");
  const std::string whole = block(from);
  bounds.header_block = whole.size();
  CHECK(rule_of(whole, bounds).empty());
  bounds.header_block = whole.size() - 1;
  CHECK(rule_of(whole, bounds) == "header-limit");
  bounds = {};
  bounds.header_line = from.size();
  CHECK(rule_of(whole, bounds).empty());
  bounds.header_line = from.size() - 1;
  CHECK(rule_of(whole, bounds) == "line-length");
}

TEST_CASE("the lengths of the parts never overflow") {
  ima::limits bounds;
  bounds.body = ~std::uint64_t{0};
  const std::string part = "part: 18446744073709551615 text/plain sha256=" + sum_empty + "\n";
  CHECK(rule_of(block("from: a@a.example\n" + part), bounds).empty());
  CHECK(rule_of(block("from: a@a.example\n" + part + part), bounds) == "part-length");
}

TEST_CASE("a builder cannot make what a reader would refuse") {
  ima::header_builder good;
  good.field("from", "a@a.example")
      .part({3, ima::digest::of("abc"), "text/plain", "", "", "", "n"});
  CHECK(good.build().value().parts()[0].name == "n");
  ima::header_builder smuggling;
  smuggling.field("from", "a@a.example").field("subject", "x\nbcc: b@b.example");
  const auto refused = smuggling.build();
  REQUIRE_FALSE(refused);
  CHECK(refused.error().rule == "line-control");
  CHECK(refused.error().place == "header line 3, octet 11");
  CHECK(refused.error().text == "control character U+000A");
}

TEST_CASE("a date keeps the writer's offset and its instant") {
  const auto t = ima::timestamp::parse("2026-11-23T18:30:00+09:00").value();
  CHECK(t.text() == "2026-11-23T18:30:00+09:00");
  CHECK(t.at == ima::timestamp::parse("2026-11-23T09:30:00Z").value().at);
}

TEST_CASE("addresses compare after ASCII folding of the local part only") {
  const auto a = ima::address::parse("Bob@b.example").value();
  CHECK(a == ima::address::parse("bOB@b.example").value());
  CHECK(a.text() == "Bob@b.example");
  CHECK(ima::address::parse("Ä@b.example").value() != ima::address::parse("ä@b.example").value());
}

TEST_CASE("people's hostparts become A-labels and back" * doctest::skip(!ima::test::has_idn())) {
  CHECK(ima::hostpart_from_unicode("Bücher.Example").value() == "xn--bcher-kva.example");
  CHECK(ima::hostpart_to_unicode("xn--bcher-kva.example") == "bücher.example");
}

TEST_CASE("without libidn2, a hostpart that is not ASCII is refused and an A-label shown as it is" *
          doctest::skip(ima::test::has_idn())) {
  const auto refused = ima::hostpart_from_unicode("Bücher.Example");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == ima::fault::caller);
  CHECK(refused.error().rule == "hostpart");
  CHECK(refused.error().text ==
        "hostpart 'Bücher.Example' is not ASCII, and libima was built without libidn2: "
        "write its A-labels");
  CHECK(ima::hostpart_to_unicode("xn--bcher-kva.example") == "xn--bcher-kva.example");
}

TEST_CASE("a hostpart in ASCII may be typed in any case") {
  CHECK(ima::hostpart_from_unicode("B.Example").value() == "b.example");
  CHECK(ima::hostpart_from_unicode("XN--bcher-kva.Example").value() == "xn--bcher-kva.example");
  for (const char* wrong : {"", "a b.example", "a..example", "127.0.0.1", "a.example."}) {
    CAPTURE(wrong);
    const auto refused = ima::hostpart_from_unicode(wrong);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == ima::fault::caller);
    CHECK(refused.error().rule == "hostpart");
  }
}

TEST_CASE("what is printed drives no terminal") {
  CHECK(ima::printable("a\x1b[31m\xff\xe2\x80\xae") == "a\\x1b[31m\\xff\\u202e");
  CHECK(ima::printable("Kyōto") == "Kyōto");
}
