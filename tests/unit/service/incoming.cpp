#include <ima/service/incoming.hpp>

#include <doctest/doctest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

using namespace ima;
using namespace ima::delivery;

namespace {

// Takes every message, and ends as a test says.
struct scripted_handler : handler {
  struct script : transaction {
    explicit script(const scripted_handler& by) : by_(by) {}
    header_answer judge() override {
      header_answer answer;
      answer.what = header_answer::kind::accept;
      return answer;
    }
    ima::result<void> body(const part_slice&) override {
      if (by_.refuses.rule.empty()) return {};
      return by_.refuses;
    }
    final_answer finish(reply_sink&) override { return by_.end; }
    const scripted_handler& by_;
  };

  std::unique_ptr<transaction> open(const header_block&, const peer_info&) override {
    return std::make_unique<script>(*this);
  }

  error refuses;
  final_answer end;
};

int status_of(scripted_handler& by) {
  std::string file = (std::filesystem::temp_directory_path() / "ima-XXXXXX").string();
  const int descriptor = mkstemp(file.data());
  REQUIRE(descriptor >= 0);
  ::close(descriptor);
  std::ofstream(file) << "ima: 1\nfrom: a@a.example\nto: b@b.example\npart: 2 text/plain sha256="
                      << digest::of("hi").hex() << "\n\nhi";
  auto message = service::message_file::open(file).value();
  std::filesystem::remove(file);
  return service::handle_message(message, by, {}, [](std::string_view) {});
}

}  // namespace

TEST_CASE("a handler's end is an exit status, to drop the connection one of them") {
  scripted_handler by;
  by.end = {verdict::ok, false};
  CHECK(status_of(by) == 0);
  by.end = {verdict::ok, true};
  CHECK(status_of(by) == 3);
  by.end = {verdict::partial, false};
  CHECK(status_of(by) == 2);
}

TEST_CASE("a body that is refused fails, and one that cannot be kept now is deferred") {
  scripted_handler by;
  by.refuses = {fault::refused, "policy", "", "no"};
  CHECK(status_of(by) == 1);
  by.refuses = {fault::temporary, "storage", "", "full"};
  CHECK(status_of(by) == 75);
}
