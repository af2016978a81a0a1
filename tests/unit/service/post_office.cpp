#include <ima/mailbox/delivery.hpp>
#include <ima/message.hpp>
#include <ima/retrieval/responder.hpp>
#include <ima/service/post_office.hpp>

#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>
#include <string>
#include <vector>

using namespace ima;
using namespace ima::retrieval;

namespace {

class temporary_folder {
 public:
  temporary_folder() {
    std::string name = (std::filesystem::temp_directory_path() / "ima-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  temporary_folder(const temporary_folder&) = delete;
  temporary_folder& operator=(const temporary_folder&) = delete;
  ~temporary_folder() { std::filesystem::remove_all(path_); }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

// Bob, whose password is swordfish.
class only_bob : public service::user_directory {
 public:
  explicit only_bob(std::string path) : path_(std::move(path)) {}
  result<std::string> by_password(std::string_view user, octets password) override {
    return check(user == "bob" && password == "swordfish");
  }
  result<std::string> by_certificate(std::string_view user,
                                     const certificate_facts& facts) override {
    return check(user == "bob" && facts.operator_ca_names == std::vector<std::string>{"bob"});
  }

 private:
  result<std::string> check(bool proved) const {
    if (!proved) return refusal(reason::auth, "wrong user name or proof");
    return path_;
  }
  std::string path_;
};

struct office {
  temporary_folder folder;
  std::string inbox = folder.path() + "/bob";
  mailbox::file_system& disk = mailbox::posix_file_system();
  only_bob users{inbox};
  service::post_office post{disk, users};

  office() { REQUIRE(mailbox::mailbox::create(disk, inbox)); }

  std::unique_ptr<account> bob() { return post.by_password("bob", "swordfish").value(); }

  // Delivers a message with a text and an attachment; returns its id.
  std::string deliver(const std::string& subject, std::string text, std::string attachment) {
    header_builder builder;
    builder.field("from", "alice@a.example").field("to", "bob@b.example");
    builder.field("subject", subject);
    builder.part({text.size(), digest::of(text), "text/plain", "", "", "", ""});
    builder.part({attachment.size(), digest::of(attachment), "image/jpeg", "attachment", "", "",
                  "holiday in Kyōto.jpg"});
    const header_block header = builder.build().value();
    const address bob_address = address::parse("bob@b.example").value();
    mailbox::record record;
    record.verified_domain = "a.example";
    record.recipient = "bob@b.example";
    auto delivery = mailbox::delivery::begin(disk, header, {{inbox, bob_address, record}});
    REQUIRE(delivery);
    write_body(*delivery, header, text + attachment);
    const auto done = delivery->commit();
    REQUIRE(done.size() == 1);
    REQUIRE(done[0]);
    return done[0]->id;
  }

  static void write_body(mailbox::delivery& delivery, const header_block& header, octets body) {
    body_reader reader(header);
    for (;;) {
      auto slice = reader.next(body).value();
      if (!slice) break;
      REQUIRE(delivery.write(*slice));
    }
    REQUIRE(reader.complete());
  }
};

std::string read_part(account& mail, const std::string& id, std::uint64_t number) {
  auto part = mail.open_part("inbox", id, number).value();
  std::string out(static_cast<std::size_t>(part->size()), '\0');
  std::size_t at = 0;
  while (at < out.size()) at += part->read_at(at, std::span(out).subspan(at)).value();
  return out;
}

}  // namespace

TEST_CASE("a wrong proof opens no mailbox") {
  office o;
  CHECK(o.post.by_password("bob", "Swordfish").error().rule == "auth");
  CHECK(o.post.by_certificate("bob", {}).error().rule == "auth");
  CHECK(o.post.by_certificate("bob", {{}, {"bob"}}));
}

TEST_CASE("a delivered message is listed, read and gone when deleted") {
  office o;
  const std::string id = o.deliver("Photos", "hello", std::string(100'000, 'j'));
  const auto mail = o.bob();
  const auto page = mail->changes("inbox", first_token, 10).value();
  REQUIRE(page.changes.size() == 1);
  CHECK(page.changes[0].id == id);
  REQUIRE(page.changes[0].present);
  CHECK_FALSE(page.more);
  CHECK(mail->status("inbox").value().messages == 1);
  CHECK(mail->status("inbox").value().unseen == 1);

  const auto stored = mail->header("inbox", id).value();
  REQUIRE(stored);
  CHECK(header_block::parse(stored->header).value().subject() == "Photos");
  CHECK(stored->record.find("domain: a.example\n") != std::string::npos);
  CHECK(read_part(*mail, id, 1) == "hello");
  CHECK((read_part(*mail, id, 2) == std::string(100'000, 'j')));

  CHECK(mail->remove("inbox", std::vector{id}).value() == std::vector{message_outcome::done});
  CHECK(mail->remove("inbox", std::vector{id}).value() == std::vector{message_outcome::gone});
  CHECK_FALSE(mail->header("inbox", id).value());
  const auto later = mail->changes("inbox", page.token, 10).value();
  REQUIRE(later.changes.size() == 1);
  CHECK_FALSE(later.changes[0].present);
}

TEST_CASE("what is not there is refused by its word") {
  office o;
  const std::string id = o.deliver("Photos", "hello", "");
  const auto mail = o.bob();
  REQUIRE(mail->folders());
  CHECK(mail->status("nowhere").error().rule == "no-folder");
  CHECK(mail->changes("nowhere", first_token, 1).error().rule == "no-folder");
  CHECK(mail->changes("inbox", "nonsense", 1).error().rule == "resync");
  CHECK(mail->header("nowhere", id).error().rule == "no-folder");
  CHECK(mail->open_part("inbox", "abc", 1).error().rule == "no-message");
  CHECK(mail->open_part("inbox", id, 3).error().rule == "no-part");
  CHECK(mail->move("inbox", "nowhere", std::vector{id}).error().rule == "no-folder");
  CHECK(mail->copy("inbox", "nowhere", std::vector{id}).error().rule == "no-folder");
}

TEST_CASE("a flag change that comes too late leaves the message alone") {
  office o;
  const std::string id = o.deliver("Photos", "hello", "");
  const auto mail = o.bob();
  const auto first = mail->changes("inbox", first_token, 1).value();
  const std::uint64_t seq = first.changes.at(0).present->seq;
  const std::vector ids{id};
  CHECK(mail->flag("inbox", ids, {{"seen", "work"}, {}, seq}).value()[0] == message_outcome::done);
  CHECK(mail->flag("inbox", ids, {{}, {"seen"}, seq}).value()[0] == message_outcome::changed);
  const auto then = mail->changes("inbox", first.token, 10).value();
  REQUIRE(then.changes.size() == 1);
  CHECK(then.changes[0].present->flags == std::vector<std::string>{"seen", "work"});
  CHECK(mail->status("inbox").value().unseen == 0);
}

TEST_CASE("mail that comes while a connection is open is seen by it and by a second one") {
  office o;
  const auto first = o.bob();
  const auto second = o.bob();
  const std::string token = first->status("inbox").value().token;
  const std::string id = o.deliver("Late", "hello", "");
  CHECK(first->changes("inbox", token, 10).value().changes.at(0).id == id);
  CHECK(second->changes("inbox", token, 10).value().changes.at(0).id == id);
}

TEST_CASE("a whole retrieval session is answered from a mailbox on disk") {
  office o;
  const std::string id = o.deliver("Photos", "hello", "");
  server session({"b.example", {}});
  responder worker(session, o.post, {});
  const std::string input = "AUTH bob PASSWORD 9\nswordfishCHANGES inbox 0 5\nFETCH inbox " + id +
                            " 1 1 3\nFETCH inbox " + id + " 2\nDONE\n";
  session.receive(input);
  for (;;) {
    auto event = session.next_event().value();
    if (auto* request = std::get_if<any_request>(&event)) {
      REQUIRE(worker.begin(std::move(*request)));
      while (worker.busy()) CHECK_FALSE(worker.work());
    } else {
      CHECK(std::holds_alternative<closed>(event));
      break;
    }
  }
  const std::string out(session.pending_output());
  CHECK(out.starts_with("IMRP 1 b.example\nOK\n+ " + id + " "));
  CHECK(out.ends_with("PART " + id + " 1 1 3\nellOK\nPART " + id + " 2 0 0\nOK\n"));
}
