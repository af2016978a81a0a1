#include "service/idle_indexer.hpp"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>

using namespace ima;
using namespace std::chrono_literals;

namespace {

struct mailbox_with_mail {
  std::string folder = [] {
    std::string name = (std::filesystem::temp_directory_path() / "ima-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    return name;
  }();
  std::shared_ptr<mailbox::mailbox> mail;

  explicit mailbox_with_mail(int messages) {
    mailbox::file_system& disk = mailbox::posix_file_system();
    REQUIRE(mailbox::mailbox::create(disk, folder));
    mail = std::make_shared<mailbox::mailbox>(mailbox::mailbox::open(disk, folder).value());
    for (int i = 0; i < messages; ++i) {
      header_builder builder;
      builder.field("from", "alice@a.example").field("subject", std::to_string(i));
      auto begun = mail->append(builder.build().value(), {.received = {}, .folder = "inbox"});
      REQUIRE(begun);
      REQUIRE(begun->commit());
    }
  }
  mailbox_with_mail(const mailbox_with_mail&) = delete;
  mailbox_with_mail& operator=(const mailbox_with_mail&) = delete;
  ~mailbox_with_mail() {
    mail.reset();
    std::filesystem::remove_all(folder);
  }

  // Waits until nobody else has it open.
  void wait() const {
    for (int i = 0; i < 6'000 && mail.use_count() > 1; ++i) std::this_thread::sleep_for(10ms);
  }
};

}  // namespace

TEST_CASE("a mailbox that rests is made searchable to the last message, and then let go") {
  mailbox_with_mail one(70);
  mailbox_with_mail other(3);
  service::idle_indexer indexer(1ms);
  indexer.used(one.mail);
  indexer.used(other.mail);
  one.wait();
  other.wait();
  CHECK(one.mail.use_count() == 1);
  CHECK(one.mail->make_searchable(1).value());  // nothing was left to do
  CHECK(other.mail->make_searchable(1).value());
}

TEST_CASE("a mailbox that rests has no file open, and is as good as before when it is used") {
  mailbox_with_mail one(3);
  const auto open_files = [&one] {
    std::size_t count = 0;
    for (const auto& each : std::filesystem::directory_iterator("/proc/self/fd")) {
      std::error_code gone;  // the directory's own
      const auto target = std::filesystem::read_symlink(each, gone).string();
      if (target.starts_with(one.folder)) ++count;
    }
    return count;
  };
  CHECK(open_files() > 0);
  const auto before = one.mail->status("inbox").value();
  {
    service::idle_indexer indexer(1ms);
    indexer.used(one.mail);
    one.wait();
  }
  CHECK(open_files() == 0);
  CHECK(one.mail->status("inbox").value().token == before.token);
  CHECK(one.mail->status("inbox").value().messages == 3);
  CHECK(open_files() > 0);
}

TEST_CASE("a mailbox in use is left alone, and the indexer ends in the midst of it") {
  mailbox_with_mail one(3);
  {
    service::idle_indexer indexer(1h);
    indexer.used(one.mail);
    indexer.used(one.mail);
    CHECK(one.mail.use_count() == 2);
  }
  CHECK_FALSE(one.mail->make_searchable(1).value());
}
