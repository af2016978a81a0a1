#include <ima/retrieval/types.hpp>

#include <doctest/doctest.h>

#include <string>

using namespace ima;
using namespace ima::retrieval;

TEST_CASE("every reason has one word, which reads back") {
  for (int i = 0; i <= static_cast<int>(reason::in_progress); ++i) {
    const auto why = static_cast<reason>(i);
    CHECK(reason_from(to_string(why)) == why);
  }
  CHECK_FALSE(reason_from("nonsense"));
}

TEST_CASE("a refusal made from a word goes out as that word, other errors hide behind two") {
  CHECK(reason_for(refusal(reason::no_folder, "")) == reason::no_folder);
  CHECK(refusal(reason::no_folder, "").kind == fault::refused);
  CHECK(refusal(reason::busy, "").kind == fault::temporary);
  CHECK(reason_for(error{fault::temporary, "file-open", "", ""}) == reason::storage);
  CHECK(reason_for(error{fault::caller, "out-of-turn", "", ""}) == reason::internal);
}

TEST_CASE("folder names survive the wire, and each has one form") {
  for (const std::string name : {"inbox", "lists/ima dev", "100% sure", "日本/仕事", "%20"}) {
    const std::string word = folder_to_wire(name);
    CHECK(word.find(' ') == std::string::npos);
    CHECK(folder_from_wire(word).value() == name);
  }
  for (const char* word : {"", "%", "%2", "%21", "%2F", "a/../b", "a//b", "/a", "a/", ".", "a\nb"})
    CHECK_FALSE(folder_from_wire(word));
}

TEST_CASE("words are limited to their length, and not one octet more") {
  CHECK(check_user(std::string(128, 'u')));
  CHECK_FALSE(check_user(std::string(129, 'u')));
  CHECK(check_folder(std::string(255, 'f')));
  CHECK_FALSE(check_folder(std::string(256, 'f')));
  CHECK(check_id(std::string(128, 'a')));
  CHECK_FALSE(check_id(std::string(129, 'a')));
  CHECK(check_token(std::string(64, '1')));
  CHECK_FALSE(check_token(std::string(65, '1')));
  CHECK(check_flag(std::string(32, 'a')));
  CHECK_FALSE(check_flag(std::string(33, 'a')));
}

TEST_CASE("an id begins neither like a flag change nor like an option") {
  CHECK_FALSE(check_id("-a"));
  CHECK_FALSE(check_id("+a"));
  CHECK_FALSE(check_id("if-seq=1"));
}

TEST_CASE("a moved secret leaves nothing behind") {
  secret first("swordfish");
  const secret second(std::move(first));
  CHECK(second.view() == "swordfish");
  CHECK(first.view().empty());  // NOLINT(bugprone-use-after-move): that it is empty is the promise
}
