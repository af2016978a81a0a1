#include "translate/structure.hpp"

#include <doctest/doctest.h>

using namespace ima::translate;

namespace {

leaf_traits leaf(std::size_t part, std::string type, std::string role = "", bool named = false) {
  return {part, std::move(type), std::move(role), named, false, false};
}

std::string by_roles(const std::vector<leaf_traits>& leaves) {
  return write_structure(structure_by_roles(leaves));
}

// The roles that the leaves get in this nesting, each as its first letter.
std::string roles_in(std::string_view structure, std::vector<leaf_traits> leaves) {
  assign_roles(read_structure(structure).value(), leaves);
  std::string out;
  for (const leaf_traits& l : leaves) out += l.role.substr(0, 2) + " ";
  return out;
}

}  // namespace

TEST_CASE("roles alone give the usual nestings") {
  CHECK(by_roles({}) == "0");
  CHECK(by_roles({leaf(1, "text/plain")}) == "1");
  CHECK(by_roles({leaf(1, "text/plain"), leaf(2, "image/png", "attachment")}) == "mixed(1,2)");
  CHECK(by_roles({leaf(1, "text/plain"), leaf(2, "text/html", "alternative")}) ==
        "alternative(1,2)");
  CHECK(by_roles({leaf(1, "text/plain"), leaf(2, "text/html", "alternative"),
                  leaf(3, "image/png", "inline"), leaf(4, "text/plain"),
                  leaf(5, "image/png", "attachment")}) == "mixed(related(alternative(1,2),3),4,5)");
}

TEST_CASE("an alternative or inline part without a text before it stands alone") {
  CHECK(by_roles({leaf(1, "text/html", "alternative"), leaf(2, "image/png", "inline")}) ==
        "mixed(1,2)");
}

TEST_CASE("each place gives its role") {
  const std::vector<leaf_traits> four{leaf(1, "text/plain"), leaf(2, "text/html"),
                                      leaf(3, "image/png"), leaf(4, "text/plain", "", true)};
  CHECK(roles_in("mixed(related(alternative(1,2),3),4)", four) == "te al in at ");
  CHECK(roles_in("mixed(alternative(2,1),3,4)", four) == "te al at at ");
  CHECK(roles_in("mixed(1,2,3,4)", four) == "te te at at ");
}

TEST_CASE("a structure is read back as it was written") {
  for (const char* text : {"1", "mixed(1,2)", "report;report-type=delivery-status(1,2,3)",
                           "mixed(1,related;start=<a%28b%29%2C>(2,3))"})
    CHECK(write_structure(read_structure(text).value()) == std::string_view(text));
}

TEST_CASE("what is no structure is none") {
  for (const char* text : {"", "mixed", "mixed(", "mixed()", "mixed(1", "mixed(1,)", "mixed(1))",
                           "mixed;x(1)", "(1)", "1,2", "mixed(1) "})
    CHECK_FALSE(read_structure(text));
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "mixed(";
  CHECK_FALSE(read_structure(deep));
}

TEST_CASE("no structure can say what is signed, or nest deeper than mail is read") {
  CHECK_FALSE(read_structure("signed(1,2)"));
  CHECK_FALSE(read_structure("encrypted(1,2)"));
  CHECK_FALSE(read_structure("a b(1,2)"));
  const auto nested = [](std::size_t depth) {
    std::string text;
    for (std::size_t i = 0; i < depth; ++i) text += "x(";
    return text + "1" + std::string(depth, ')');
  };
  CHECK(read_structure(nested(50)));
  CHECK_FALSE(read_structure(nested(51)));
}
