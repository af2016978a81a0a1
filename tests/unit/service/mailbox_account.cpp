#include <ima/mailbox/mailbox.hpp>
#include <ima/message.hpp>
#include <ima/service/post_office.hpp>
#include <ima/service/submission.hpp>

#include <doctest/doctest.h>
#include <stdlib.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <string>
#include <vector>

// What a post office offers beyond reading: folders, messages that users bring, search, watching,
// sending.

using namespace ima;
using namespace ima::retrieval;

namespace {

class only_bob : public service::user_directory {
 public:
  explicit only_bob(std::string path) : path_(std::move(path)) {}
  result<std::string> by_password(std::string_view, octets) override { return path_; }
  result<std::string> by_certificate(std::string_view, const certificate_facts&) override {
    return path_;
  }
  bool admits(std::string_view, const std::string&,
              const std::optional<certificate_facts>&) override {
    return !removed;
  }
  std::vector<address> addresses_of(std::string_view) const override {
    return {address::parse("bob@b.example").value(), address::parse("boss@b.example").value()};
  }

  std::atomic<bool> removed = false;

 private:
  std::string path_;
};

// Delivers to everybody but carol, and says so.
class fake_sender : public service::mail_submitter {
 public:
  result<send_verdict> send(const header_block& header, body_source& body,
                            const submission::tell_outcome& outcome,
                            const submission::tell_note& note) override {
    std::string text(static_cast<std::size_t>(header.body_size()), '\0');
    if (auto good = body.read_at(0, text.data(), text.size()); !good) return good.error();
    bodies.push_back(text);
    while_sending();
    for (const address& a : header.recipients())
      outcome({a.local() == "carol" ? for_carol : recipient_outcome::kind::ok, a, ""});
    note("a.example", "taken");
    return verdict;
  }

  std::vector<std::string> bodies;
  send_verdict verdict = send_verdict::mixed;
  recipient_outcome::kind for_carol = recipient_outcome::kind::fail;
  std::function<void()> while_sending = [] {};
};

struct office {
  std::string folder = [] {
    std::string name = (std::filesystem::temp_directory_path() / "ima-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    return name;
  }();
  std::string path = folder + "/bob";
  mailbox::file_system& disk = mailbox::posix_file_system();
  only_bob users{path};
  fake_sender sender;
  std::unique_ptr<service::post_office> post = std::make_unique<service::post_office>(
      disk, users, service::post_office_options{&sender, false, {}, std::chrono::milliseconds(5)});
  std::unique_ptr<account> bob;

  office() {
    REQUIRE(mailbox::mailbox::create(disk, path));
    bob = post->by_password("bob", "").value();
  }
  office(const office&) = delete;
  office& operator=(const office&) = delete;
  ~office() {
    bob.reset();
    post.reset();
    std::filesystem::remove_all(folder);
  }

  std::string append(const append_target& what, const header_block& header, octets body) const {
    auto begun = bob->append(what, header);
    REQUIRE(begun);
    write(**begun, header, body);
    return (*begun)->commit().value();
  }

  template <class Into>
  static void write(Into& into, const header_block& header, octets body) {
    body_reader reader(header);
    for (;;) {
      auto slice = reader.next(body).value();
      if (!slice) break;
      REQUIRE(into.write(*slice));
    }
    REQUIRE(reader.complete());
  }
};

header_block message(const std::string& subject, const std::string& text,
                     std::string_view from = "bob@b.example",
                     const std::vector<std::string>& envelope = {}) {
  header_builder builder;
  builder.field("from", from).field("to", "alice@a.example").field("cc", "carol@c.example");
  for (const std::string& recipient : envelope) builder.field("for", recipient);
  builder.field("subject", subject);
  builder.part({text.size(), digest::of(text), "text/plain", "", "", "", ""});
  return builder.build().value();
}

// What a submission said.
struct heard {
  std::vector<std::string> lines;
  result<send_end> finish(submission& s) {
    return s.finish(
        [this](const recipient_outcome& o) {
          lines.push_back(std::string(to_string(o.what)) + " " + std::string(o.recipient.text()));
        },
        [this](std::string_view host, std::string_view text) {
          lines.push_back(std::string(host) + ": " + std::string(text));
        });
  }
};

// Waits for changes that other threads tell.
struct changes {
  std::mutex mutex;
  std::condition_variable told;
  std::vector<watched_folder> seen;

  account::tell_change hook() {
    return [this](const watched_folder& now) {
      const std::scoped_lock guard(mutex);
      seen.push_back(now);
      told.notify_all();
    };
  }
  std::vector<watched_folder> wait_for(std::size_t count) {
    std::unique_lock guard(mutex);
    told.wait_for(guard, std::chrono::seconds(60), [&] { return seen.size() >= count; });
    return seen;
  }
};

}  // namespace

TEST_CASE("folders are made with roles, renamed and deleted, each refusal by its word") {
  office o;
  CHECK(o.bob->create_folder("Sent mail", "sent"));
  CHECK(o.bob->create_folder("x", "sent").error().rule == "folder-role");
  CHECK(o.bob->create_folder("inbox", "").error().rule == "folder-exists");
  CHECK(o.bob->rename_folder("Sent mail", "Gone out"));
  CHECK(o.bob->folders().value() ==
        std::vector<folder_info>{{"Gone out", "sent"}, {"inbox", "inbox"}});
  CHECK(o.bob->delete_folder("inbox").error().rule == "folder-in-use");
  CHECK(o.bob->delete_folder("x").error().rule == "no-folder");
  CHECK(o.bob->delete_folder("Gone out"));
  CHECK(reason_for(o.bob->rename_folder("inbox", "y").error()) == reason::folder_in_use);
}

TEST_CASE("an appended message has its flags and arrival, and an id that begins with its digest") {
  office o;
  const timestamp then = timestamp::parse("2020-01-02T03:04:05Z").value();
  const header_block header = message("Draft", "hello");
  const std::string id = o.append({"inbox", {"draft"}, then}, header, "hello");
  CHECK(id.starts_with(header.id_digest().hex() + "-"));
  const auto page = o.bob->changes("inbox", first_token, 5).value();
  REQUIRE(page.changes.size() == 1);
  CHECK(page.changes[0].present->flags == std::vector<std::string>{"draft"});
  CHECK(page.changes[0].present->arrived == then);
  CHECK(o.bob->append({"nowhere", {}, {}}, header).error().rule == "no-folder");
}

TEST_CASE("a quota is told, and a message over it refused by its header") {
  office o;
  auto mail = mailbox::mailbox::open(o.disk, o.path).value();
  REQUIRE(mail.set_quota({0, 1}));
  o.append({"inbox", {}, {}}, message("One", "hello"), "hello");
  const auto now = o.bob->quota().value();
  CHECK(now.messages == 1);
  CHECK(now.max_messages == 1);
  CHECK_FALSE(now.max_size);
  CHECK(now.size > 5);
  CHECK(o.bob->append({"inbox", {}, {}}, message("Two", "hello")).error().rule == "quota");
}

TEST_CASE("a search finds by every kind of criterion, page by page") {
  office o;
  std::vector<std::string> ids;
  for (const char* subject : {"Holiday plans", "Holiday photos", "Work"}) {
    const std::string text = std::string(subject) + " for all of us";
    ids.push_back(o.append({"inbox", {}, {}}, message(subject, text), text));
  }
  REQUIRE(o.bob->flag("inbox", std::vector{ids[0]}, {{"flagged"}, {}, {}}));
  search_query q;
  q.subject = {"holiday"};
  const auto first = o.bob->search("inbox", "", 1, q).value();
  CHECK(first.ids == std::vector{ids[1]});
  REQUIRE_FALSE(first.cursor.empty());
  CHECK(check_token(first.cursor));
  CHECK(o.bob->search("inbox", first.cursor, 5, q).value().ids == std::vector{ids[0]});
  q.flags = {"flagged"};
  CHECK(o.bob->search("inbox", "", 5, q).value().ids == std::vector{ids[0]});
  search_query text;
  text.text = {"for all"};
  CHECK(o.bob->search("inbox", "", 5, text).value().ids.size() == 3);
  text.without_flags = {"flagged"};
  CHECK(o.bob->search("inbox", "", 5, text).value().ids.size() == 2);
  search_query people;
  people.from = {"bob"};
  people.to = {"carol"};
  CHECK(o.bob->search("inbox", "", 5, people).value().ids.size() == 3);
  people.to = {"bob"};
  CHECK(o.bob->search("inbox", "", 5, people).value().ids.empty());
  const auto entries = o.bob->changes("inbox", first_token, 5).value().changes;
  search_query size;
  for (const change& c : entries)
    if (c.id == ids[2]) size.min_size = size.max_size = c.present->size;
  CHECK(o.bob->search("inbox", "", 5, size).value().ids == std::vector{ids[2]});
  CHECK(o.bob->search("nowhere", "", 5, {}).error().rule == "no-folder");
  search_query no_word;
  no_word.text = {"..."};
  CHECK(reason_for(o.bob->search("inbox", "", 5, no_word).error()) == reason::syntax);
}

TEST_CASE("a change is told to whoever watches, whoever made it, and not after the watch") {
  office o;
  REQUIRE(o.bob->create_folder("other", ""));
  const std::string token = o.bob->status("inbox").value().token;
  changes all;
  const std::vector<watched_folder> folders{{"inbox", token},
                                            {"other", o.bob->status("other").value().token}};
  auto watch = o.bob->watch(folders, all.hook(), [] {});
  REQUIRE(watch);
  auto elsewhere = mailbox::mailbox::open(o.disk, o.path, {o.folder + "/index"}).value();
  auto begun = elsewhere.append(message("A", "x"), {.received = {}, .folder = "inbox"});
  REQUIRE(begun);
  office::write(*begun, message("A", "x"), "x");
  REQUIRE(begun->commit());
  const auto seen = all.wait_for(1);
  REQUIRE(seen.size() >= 1);
  CHECK(seen[0] == watched_folder{"inbox", o.bob->status("inbox").value().token});
  CHECK(o.bob->changes("inbox", token, 5).value().changes.size() == 1);
  CHECK(o.bob->changes("inbox", seen.back().token, 5).value().changes.empty());
  watch->reset();
  const std::size_t before = all.seen.size();
  REQUIRE(o.bob->create_folder("third", ""));
  CHECK(all.seen.size() == before);
}

TEST_CASE("a change between the token and the watch is told, and a folder that goes, too") {
  office o;
  REQUIRE(o.bob->create_folder("other", ""));
  const std::vector<watched_folder> folders{{"inbox", o.bob->status("inbox").value().token},
                                            {"other", o.bob->status("other").value().token}};
  o.append({"inbox", {}, {}}, message("A", "x"), "x");
  changes all;
  const auto watch = o.bob->watch(folders, all.hook(), [] {});
  REQUIRE(watch);
  CHECK(all.wait_for(1).at(0).folder == "inbox");
  REQUIRE(o.bob->delete_folder("other"));
  const auto seen = all.wait_for(2);
  REQUIRE(seen.size() == 2);
  CHECK(seen[1] == watched_folder{"other", "0"});
}

TEST_CASE("a watch is over, once, when its user may not go on") {
  office o;
  changes all;
  std::atomic<int> over = 0;
  const std::vector<watched_folder> folders{{"inbox", o.bob->status("inbox").value().token}};
  const auto watch = o.bob->watch(folders, all.hook(), [&] {
    const std::scoped_lock guard(all.mutex);
    ++over;
    all.told.notify_all();
  });
  REQUIRE(watch);
  CHECK(o.bob->may_go_on());
  o.users.removed = true;
  CHECK_FALSE(o.bob->may_go_on());
  {
    std::unique_lock guard(all.mutex);
    all.told.wait_for(guard, std::chrono::seconds(60), [&] { return over > 0; });
  }
  CHECK(over == 1);
}

TEST_CASE("a message that somebody is yet to have is sent again when it comes again") {
  office o;
  o.sender.for_carol = recipient_outcome::kind::defer;
  const header_block header = message("Answer", "!");
  for (int i = 0; i < 2; ++i) {
    heard h;
    const auto s = o.bob->send({}, header).value();
    REQUIRE(s->known() == nullptr);
    office::write(*s, header, "!");
    CHECK(h.finish(*s).value().what == send_verdict::mixed);
  }
  CHECK(o.sender.bodies.size() == 2);
}

TEST_CASE("a message is sent, saved once and marked, and told again when it comes again") {
  office o;
  REQUIRE(o.bob->create_folder("sent", "sent"));
  const std::string original = o.append({"inbox", {}, {}}, message("Question", "?"), "?");
  send_options options{"sent", {{"inbox", original}}, {}, {}};
  const header_block header = message("Answer", "!");
  heard h;
  {
    auto s = o.bob->send(options, header).value();
    CHECK(s->known() == nullptr);
    office::write(*s, header, "!");
    CHECK(o.bob->send(options, header).error().rule == "in-progress");
    const auto end = h.finish(*s).value();
    CHECK(end.what == send_verdict::mixed);
    const auto stored = o.bob->changes("sent", first_token, 5).value().changes;
    REQUIRE(stored.size() == 1);
    CHECK(stored[0].id == end.saved);
    CHECK(stored[0].present->flags == std::vector<std::string>{"seen"});
  }
  CHECK(h.lines ==
        std::vector<std::string>{"OK alice@a.example", "FAIL carol@c.example", "a.example: taken"});
  const auto inbox = o.bob->changes("inbox", first_token, 5).value().changes;
  CHECK(inbox.at(0).present->flags == std::vector<std::string>{"answered"});
  const auto again = o.bob->send(options, header).value();
  REQUIRE(again->known() != nullptr);
  CHECK(again->known()->end.what == send_verdict::mixed);
  CHECK(again->known()->outcomes.size() == 2);
  CHECK(o.sender.bodies == std::vector<std::string>{"!"});
}

TEST_CASE("a message that comes again for other people is sent, and for the same ones told again") {
  office o;
  const auto send_to = [&](const std::vector<std::string>& recipients) {
    const header_block header = message("News", "!", "bob@b.example", recipients);
    const auto s = o.bob->send({"inbox", {}, {}, {}}, header).value();
    heard h;
    if (s->known() == nullptr) {
      office::write(*s, header, "!");
      REQUIRE(h.finish(*s));
    } else {
      h.lines.push_back("known: " + std::string(to_string(s->known()->end.what)));
      for (const auto& each : s->known()->outcomes)
        h.lines.push_back(std::string(to_string(each.what)) + " " +
                          std::string(each.recipient.text()));
    }
    return h.lines;
  };
  using lines = std::vector<std::string>;
  const std::string dan = "dan@d.example", alice = "alice@a.example", carol = "carol@c.example";
  CHECK(send_to({dan}) == lines{"OK dan@d.example", "a.example: taken"});
  CHECK(send_to({alice}) == lines{"OK alice@a.example", "a.example: taken"});
  CHECK(send_to({dan}) == lines{"known: delivered", "OK dan@d.example"});
  CHECK(send_to({dan, alice}) == lines{"known: delivered", "OK dan@d.example", "OK " + alice});
  CHECK(send_to({dan, carol}) == lines{"OK " + dan, "FAIL " + carol, "a.example: taken"});
  CHECK(send_to({carol, alice}) == lines{"known: mixed", "FAIL " + carol, "OK " + alice});
  CHECK(send_to({carol}) == lines{"FAIL " + carol, "a.example: taken"});
  CHECK(o.sender.bodies.size() == 4);
  CHECK(o.bob->status("inbox").value().messages == 1);
}

TEST_CASE("what was not sent is neither saved nor marked nor remembered") {
  office o;
  o.sender.verdict = send_verdict::deferred;
  const header_block header = message("Answer", "!");
  for (int i = 0; i < 2; ++i) {
    auto s = o.bob->send({"inbox", {}, {}, {}}, header).value();
    office::write(*s, header, "!");
    heard h;
    CHECK(h.finish(*s).value() == send_end{send_verdict::deferred, ""});
  }
  CHECK(o.bob->status("inbox").value().messages == 0);
  o.sender.verdict = send_verdict::delivered;
  auto s = o.bob->send({"inbox", {}, {}, {}}, header).value();
  s.reset();  // the client went away before the body had come
  CHECK(o.bob->send({"inbox", {}, {}, {}}, header));
}

TEST_CASE("a user sends only from his own addresses, and only what can be sent") {
  office o;
  CHECK(o.bob->send({}, message("x", "!", "Eve <eve@b.example>")).error().rule == "from");
  CHECK(o.bob->send({}, message("x", "!", "The Boss <BOSS@b.example>")));
  header_builder builder;
  builder.field("from", "bob@b.example").field("mailer", "eve@b.example");
  builder.field("to", "alice@a.example");
  CHECK(o.bob->send({}, builder.build().value()).error().rule == "from");
  header_builder nobody;
  nobody.field("from", "bob@b.example");
  CHECK(o.bob->send({}, nobody.build().value()).error().rule == "recipients");
  CHECK(o.bob->send({"nowhere", {}, {}, {}}, message("x", "!")).error().rule == "no-folder");
  CHECK(o.bob->send({"", {{"inbox", "abc"}}, {}, {}}, message("x", "!")).error().rule ==
        "no-message");
  CHECK(o.post->open(o.path).value()->send({}, message("x", "!")).error().rule == "unsupported");
}
