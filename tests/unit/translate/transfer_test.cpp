#include "../mailbox/fixture.hpp"

#include <ima/translate/transfer.hpp>

#include <fstream>

using namespace mailbox_test;
namespace tr = ima::translate;

namespace {

// How many messages were written, and how many were there.
std::pair<int, int> import_mbox(const std::string& file, const std::string& box) {
  tr::transfer_options what;
  what.from = tr::format::mbox;
  what.to = tr::format::mailbox;
  what.in = file;
  what.out = box;
  what.out_box.index = ":memory:";
  std::pair<int, int> count;
  REQUIRE(tr::transfer(what, [&](const tr::transferred& one) -> ima::result<void> {
    REQUIRE_FALSE(one.problem);
    ++(one.already ? count.second : count.first);
    return {};
  }));
  return count;
}

std::string write(const temporary_directory& place, std::string_view name, std::string_view text) {
  std::string path = place / name;
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

}  // namespace

TEST_CASE("what was deleted is imported again, and what is there is not") {
  const temporary_directory place;
  const std::string file = write(place, "old.mbox",
                                 "From a\nFrom: a@a.example\nSubject: one\n\nx\n\n"
                                 "From a\nFrom: a@a.example\nSubject: two\n\nx\n");
  const std::string path = place / "box";
  CHECK(import_mbox(file, path) == std::pair(2, 0));
  CHECK(import_mbox(file, path) == std::pair(0, 2));
  auto box = mb::mailbox::open(mb::posix_file_system(), path, {":memory:"}).value();
  const std::vector first{all(box).front().id};
  REQUIRE(box.remove("inbox", first).value() == std::vector{mb::outcome::done});
  CHECK(import_mbox(file, path) == std::pair(1, 1));
  REQUIRE(box.take_in());
  CHECK(all(box).size() == 2);
}
