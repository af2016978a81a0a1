#include "net/service_records.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

using namespace ima::net;

namespace {

std::string names(const std::vector<service_record>& records) {
  std::string out;
  for (const auto& r : records) out += r.target;
  return out;
}

}  // namespace

TEST_CASE("records are tried by priority, whatever their weight") {
  const std::vector<service_record> records{
      {"c", 1, 20, 0}, {"a", 1, 0, 0}, {"d", 1, 65535, 9}, {"b", 1, 10, 65535}};
  CHECK(names(in_order(records, [](std::uint32_t most) { return most; })) == "abcd");
  CHECK(names(in_order(records, [](std::uint32_t) { return 0U; })) == "abcd");
  CHECK(in_order({}, [](std::uint32_t) { return 0U; }).empty());
}

TEST_CASE("among equals the draw follows the running sum of the weights") {
  const std::vector<service_record> records{{"a", 1, 0, 1}, {"b", 1, 0, 3}, {"z", 1, 0, 0}};
  // The running sums are z 0, a 1, b 4.
  const std::map<std::uint32_t, std::string> first{
      {0, "z"}, {1, "a"}, {2, "b"}, {3, "b"}, {4, "b"}};
  for (const auto& row : first) {
    const std::uint32_t number = row.first;
    CAPTURE(number);
    std::vector<std::uint32_t> asked;
    const auto order = in_order(records, [&](std::uint32_t most) {
      asked.push_back(most);
      return asked.size() == 1 ? number : 0U;
    });
    CHECK(order.at(0).target == row.second);
    CHECK(order.size() == 3);
    CHECK(asked.at(0) == 4);
  }
}

TEST_CASE("one record with the target '.' says that there is no such service") {
  CHECK(says_no_service({{".", 0, 0, 0}}));
  CHECK(says_no_service({{"", 0, 0, 0}}));
  CHECK_FALSE(says_no_service({}));
  CHECK_FALSE(says_no_service({{"mail.b.example", 20025, 0, 0}}));
  CHECK_FALSE(says_no_service({{".", 0, 0, 0}, {"mail.b.example", 20025, 0, 0}}));
}
