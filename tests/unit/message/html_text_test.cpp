#include <ima/html_text.hpp>

#include <doctest/doctest.h>

#include <string>
#include <utility>

using ima::html_text;

namespace {

std::string shown(std::string_view html, std::size_t piece) {
  html_text shower;
  std::string out;
  for (; !html.empty(); html.remove_prefix(std::min(piece, html.size())))
    out += shower.next(html.substr(0, piece));
  return out + shower.end();
}

void check(const std::string& html, const std::string& wanted) {
  for (std::size_t piece = 1; piece <= html.size() + 1; ++piece) {
    CAPTURE(html);
    CAPTURE(piece);
    CHECK(shown(html, piece) == wanted);
  }
}

}  // namespace

TEST_CASE("HTML is read without its tags, comments, styles and scripts") {
  check("", "");
  check("plain", "plain");
  check("wond<b>er</b>ful, <a title=\"a>b\" href='x'>here</a>", "wonderful, here");
  check("<style>p{color:zebra}</style>a<SCRIPT>if (1<2) '</p>' </SCRIPT >b", "ab");
  check("a<script>'", "a");
  check("a<!-- x > y -->b<!-->c<!doctype html><?xml?>d", "abcd");
  check("<!--[if mso]><p>office</p><![endif]-->web<![if !mso]>!<![endif]>", "web!");
  check("a < b <3 c<unfinished", "a < b <3 c");
}

TEST_CASE("blocks of HTML are lines, and spaces one space") {
  check("<html><body>\n<p>one</p>\n<p>two\n  three</p><div>four</div>five</body>",
        "one\n\ntwo three\n\nfour\nfive");
  check("a<br>b<br/><br>c<br><br><br><br>d", "a\nb\n\nc\n\nd");
  check("<table><tr><td>1</td><td>2</td></tr><tr><td>3</td></tr></table>", "1 2\n3");
}

TEST_CASE("character references of HTML are characters, and what is none stays") {
  check("Sch&ouml;ne Gr&uuml;&szlig;e aus z&#x00fc;rich &#8364; &#150; &hearts;",
        "Schöne Grüße aus zürich € – ♥");
  check("&lt;b&gt; &amp;amp; a&nbsp;b wo&shy;rd &#128512;", "<b> &amp; a b word 😀");
  check("AT&T R&D &; &#; &#x; &unknown; ?a=1&sub=2", "AT&T R&D &; &#; &#x; &unknown; ?a=1&sub=2");
  check("caf&eacute &#0;&#xd800;&#99999999999;", "café ���");
  check("&" + std::string(100, 'a'), "&" + std::string(100, 'a'));
}
