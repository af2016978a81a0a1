#include "net/endpoint.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace ima::net;

namespace {

std::string network(const std::string& host) { return network_of(asio::ip::make_address(host)); }

}  // namespace

TEST_CASE("an endpoint is written as it is read") {
  for (const std::string text : {"127.0.0.1:20025", "[2001:db8::1]:4711", "host.example:1"}) {
    const auto parts = split_endpoint(text).value();
    CHECK(text_of(parts.host, static_cast<std::uint16_t>(std::stoi(parts.port))) == text);
  }
  CHECK(text_of(tcp::endpoint(asio::ip::make_address("::1"), 4711)) == "[::1]:4711");
}

TEST_CASE("a port may be left out where there is a default, and nothing else may") {
  CHECK(split_endpoint("[::1]", "7").value().port == "7");
  CHECK(split_endpoint("host.example", "7").value().host == "host.example");
  for (const char* bad : {"host.example", "host.example:", "host.example:0x1", "host.example:65536",
                          ":1", "[::1", "[::1]1", "[]:1"})
    CHECK(split_endpoint(bad).error().rule == "endpoint");
}

TEST_CASE("a peer is an address, and of IPv6 the half that a provider gives to one customer") {
  CHECK(network("192.0.2.1") == "192.0.2.1");
  CHECK(network("2001:db8:1:2:3:4:5:6") == "2001:db8:1:2::");
  CHECK(network("2001:db8:1:2:3:4:5:7") == network("2001:db8:1:2::1"));
  CHECK(network("::ffff:192.0.2.1") != network("::ffff:192.0.2.2"));
}
