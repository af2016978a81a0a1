#include "config.hpp"

#include "hosts.hpp"
#include "idn.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace ima;
using namespace ima::tools;

namespace {

// A configuration file that lives as long as the object.
class config_file {
 public:
  explicit config_file(std::string_view text) {
    const int fd = ::mkstemp(name_.data());
    REQUIRE(fd >= 0);
    ::close(fd);
    std::ofstream(name_, std::ios::binary) << text;
  }
  ~config_file() { std::filesystem::remove(name_); }
  config_file(const config_file&) = delete;
  config_file& operator=(const config_file&) = delete;
  const std::string& name() const { return name_; }

 private:
  std::string name_ = "/tmp/ima-config-XXXXXX";
};

struct settings {
  std::string domain = "default.example";
  bool flag = false;
  std::uint64_t workers = 4;
  std::uint64_t size = 0;
  std::chrono::milliseconds patience{0};
  std::vector<std::string> listen;
  std::filesystem::path mailbox;
  std::map<std::string, std::string, std::less<>> hosts;
  std::vector<std::string> chains;
};

result<void> read(const std::string& file, settings& s) {
  return read_config(file, [&](config_table& config) {
    config.require("domain");
    config.read("domain", s.domain);
    config.read("flag", s.flag);
    config.read("workers", s.workers);
    config.read_octets("size", s.size);
    config.read("patience", s.patience);
    config.read("listen", s.listen);
    config.read("mailbox", s.mailbox);
    read_hosts(config, s.hosts);
    config.table("tls", [&](config_table& tls) {
      tls.tables("certificate", [&](config_table& one) {
        one.require("chain");
        one.read("chain", s.chains.emplace_back());
      });
    });
  });
}

struct wrong_config {
  const char* text;
  const char* rule;
  const char* complaint;  // after "FILE:"
};

}  // namespace

TEST_CASE("every kind of value is read, and paths are taken from the file's directory") {
  const config_file file(R"(domain = "b.example"
flag = true
workers = 8
size = "100 MiB"
patience = "60s"
listen = ["[::1]:20025", "127.0.0.1:20025"]
mailbox = "mail/bob"
[hosts]
"B.Example" = "127.0.0.1:1"
[[tls.certificate]]
chain = "one"
[[tls.certificate]]
chain = "two"
)");
  settings s;
  REQUIRE(read(file.name(), s));
  CHECK(s.domain == "b.example");
  CHECK(s.flag);
  CHECK(s.workers == 8);
  CHECK(s.size == 100ULL << 20);
  CHECK(s.patience == std::chrono::minutes(1));
  CHECK(s.listen == std::vector<std::string>{"[::1]:20025", "127.0.0.1:20025"});
  CHECK(s.mailbox == "/tmp/mail/bob");
  CHECK(s.hosts.at("b.example") == "127.0.0.1:1");
  CHECK(s.chains == std::vector<std::string>{"one", "two"});
}

TEST_CASE("a host is set as people write it" * doctest::skip(!test::has_idn())) {
  const config_file file("domain = \"b.example\"\n[hosts]\n\"Bücher.example\" = \"127.0.0.1:1\"\n");
  settings s;
  REQUIRE(read(file.name(), s));
  CHECK(s.hosts.at("xn--bcher-kva.example") == "127.0.0.1:1");
}

TEST_CASE("without libidn2, a host that is not ASCII is refused with the reason" *
          doctest::skip(test::has_idn())) {
  const config_file file("domain = \"b.example\"\n[hosts]\n\"Bücher.example\" = \"127.0.0.1:1\"\n");
  settings s;
  const auto refused = read(file.name(), s);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().rule == "config-value");
  CHECK(refused.error().text.find("built without libidn2") != std::string::npos);
}

TEST_CASE("a key that is not in the file leaves its default") {
  const config_file file("domain = \"b.example\"\n");
  settings s;
  REQUIRE(read(file.name(), s));
  CHECK(s.workers == 4);
  CHECK(s.listen.empty());
}

TEST_CASE("a wrong configuration is one line with file, line and key") {
  const wrong_config cases[] = {
      {"domain = \"x\"\ndomian = 1\n", "config-key", "2: domian: is not a known key"},
      {"domain = \"x\"\n[tls]\nx = 1\n", "config-key", "3: tls.x: is not a known key"},
      {"\ndomain = 7\n", "config-type", "2: domain: must be a text, not a number"},
      {"domain = \"x\"\nworkers = \"4\"\n", "config-type",
       "2: workers: must be a number, not a text"},
      {"domain = \"x\"\nworkers = -1\n", "config-value", "2: workers: must not be negative"},
      {"domain = \"x\"\nlisten = [\"a\",\n 2]\n", "config-type",
       "3: listen: must be a list of texts, not a number"},
      {"domain = \"x\"\nmailbox = \"\"\n", "config-value", "2: mailbox: must not be empty"},
      {"domain = \"x\"\n[[tls.certificate]]\n", "config-missing",
       "2: tls.certificate.chain: is missing"},
      {"flag = true\n", "config-missing", "1: domain: is missing"},
  };
  for (const wrong_config& wrong : cases) {
    CAPTURE(wrong.text);
    const config_file file(wrong.text);
    settings s;
    const auto outcome = read(file.name(), s);
    REQUIRE_FALSE(outcome);
    CHECK(outcome.error().kind == fault::caller);
    CHECK(outcome.error().rule == wrong.rule);
    CHECK(outcome.error().place + ": " + outcome.error().text ==
          file.name() + ":" + wrong.complaint);
  }
}

TEST_CASE("sizes and times are read strictly") {
  for (const char* line :
       {"size = \"100MiB\"", "size = \"1 MB\"", "size = \"\"", "size = \"-1\"",
        "size = \"17179869184 GiB\"", "patience = \"60\"", "patience = \"1 s\"",
        "hosts = {\"b.example\" = \"nowhere\"}", "hosts = {\"b..example\" = \"127.0.0.1:1\"}",
        "hosts = {\"b.example\" = \"::1:20025\"}"}) {
    CAPTURE(line);
    const config_file file(std::string("domain = \"x\"\n") + line + "\n");
    settings s;
    const auto outcome = read(file.name(), s);
    REQUIRE_FALSE(outcome);
    CHECK(outcome.error().rule == "config-value");
    CHECK(outcome.error().place == file.name() + ":2");
  }
}

TEST_CASE("a missing file and broken TOML are named") {
  settings s;
  const auto missing = read("/nonexistent/x.toml", s);
  REQUIRE_FALSE(missing);
  CHECK(missing.error().rule == "config-file");
  CHECK(missing.error().place == "/nonexistent/x.toml");
  const config_file file("domain = \"x\"\n= 3\n");
  const auto broken = read(file.name(), s);
  REQUIRE_FALSE(broken);
  CHECK(broken.error().rule == "config-syntax");
  CHECK(broken.error().place == file.name() + ":2");
}
