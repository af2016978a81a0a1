#include "../mailbox/fixture.hpp"
#include "../retrieval/memory_mail.hpp"
#include "authority.hpp"

#include <ima/mirror/download_folder.hpp>
#include <ima/mirror/mirror.hpp>
#include <ima/net/retrieval_client.hpp>
#include <ima/net/retrieval_server.hpp>
#include <ima/service/post_office.hpp>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

// Mirrors of mailboxes at a post office, over TLS, while other programs work on either side.

using namespace ima;
using namespace mailbox_test;

namespace {

auto& files = mb::posix_file_system();

const test::authority& the_authority() {
  static const test::authority made;
  static const bool issued = (made.issue_domain("b.example"), true);
  REQUIRE(issued);
  return made;
}

tls::context context_of(bool server) {
  tls::context_options options;
  options.inside = tls::protocol::imrp;
  options.system_store = false;
  options.ca_file = the_authority().ca_file();
  if (server)
    options.credentials.push_back(
        {the_authority().path("b.example.pem"), the_authority().path("b.example.key")});
  return tls::context::create(options).value();
}

// Whoever says a name is believed: his mailbox is the one of that name.
class everybody : public service::user_directory {
 public:
  explicit everybody(const temporary_directory& place) : place_(place) {}
  result<std::string> by_password(std::string_view user, octets) override { return place_ / user; }
  result<std::string> by_certificate(std::string_view user,
                                     const retrieval::certificate_facts&) override {
    return place_ / user;
  }

 private:
  const temporary_directory& place_;
};

class running_server {
 public:
  explicit running_server(retrieval::authenticator& users)
      : server_(make(users)), thread_([this] { server_.run(); }) {}
  running_server(const running_server&) = delete;
  running_server& operator=(const running_server&) = delete;
  ~running_server() {
    server_.stop();
    thread_.join();
  }

  net::retrieval_client connect(const std::string& user) const {
    net::retrieval_client_options options;
    options.host = "b.example";
    options.hosts["b.example"] = server_.addresses().at(0);
    auto client = net::retrieval_client::connect(options, context_of(false)).value();
    REQUIRE(client.authenticate(user, "swordfish"));
    return client;
  }

 private:
  static net::retrieval_server make(retrieval::authenticator& users) {
    net::retrieval_server_options options;
    options.listen = {"127.0.0.1:0"};
    return net::retrieval_server::create(options, context_of(true), users).value();
  }

  net::retrieval_server server_;
  std::thread thread_;
};

mb::mailbox made(const std::string& path) {
  REQUIRE(mb::mailbox::create(files, path));
  return mb::mailbox::open(files, path, {":memory:"}).value();
}

// A post office with the mailboxes of bob and carol, and a local directory.
struct scene {
  temporary_directory place;
  mb::mailbox bob = made(place / "bob");
  mb::mailbox carol = made(place / "carol");
  mb::mailbox here = made(place / "here");
  everybody users{place};
  service::post_office post{files, users};
  running_server server{post};

  result<void> update(const std::string& user, mb::mailbox& local, bool two_way = false) {
    auto client = server.connect(user);
    auto downloads = mirror::download_folder::open(place / "here").value();
    mirror::mirror_options options;
    options.path = place / "here";
    options.source = "b.example\n" + user;
    options.two_way = two_way;
    mirror::mirror copy(client, local, downloads, options);
    auto good = copy.update([](const auto&) {}, [](const auto&) {});
    for (const error& failed : copy.failures()) complaints.push_back(failed.message());
    return good;
  }

  std::string give(const std::string& user, const std::string& subject) {
    return deliver(files, compose(subject, {{"text"}}), place / user)->id;
  }

  std::vector<std::string> complaints;
};

// Does something when a mailbox looks whether its journal has grown, which it does before each
// answer; not where it holds the lock.
class watched_files final : public mb::file_system {
 public:
  std::function<void()> on_look = [] {};

  result<std::unique_ptr<mb::file>> open(const std::string& p) override { return files.open(p); }
  result<std::unique_ptr<mb::file>> open_append(const std::string& p) override {
    return files.open_append(p);
  }
  result<std::unique_ptr<mb::file>> create(const std::string& p) override {
    return files.create(p);
  }
  result<void> make_directory(const std::string& p) override { return files.make_directory(p); }
  result<void> link(const std::string& from, const std::string& to) override {
    return files.link(from, to);
  }
  result<void> rename(const std::string& from, const std::string& to) override {
    return files.rename(from, to);
  }
  result<void> unlink(const std::string& p) override { return files.unlink(p); }
  result<void> remove_directory(const std::string& p) override { return files.remove_directory(p); }
  result<std::optional<mb::file_status>> status(const std::string& p) override {
    if (p.ends_with("/journal") && !locked_) on_look();
    locked_ = p.ends_with("/lock");  // it was taken, and the journal is opened under it
    return files.status(p);
  }
  result<void> list(const std::string& p,
                    const std::function<result<void>(const std::string&)>& each) override {
    return files.list(p, each);
  }
  result<void> sync_directory(const std::string& p) override { return files.sync_directory(p); }
  std::chrono::sys_seconds now() override { return files.now(); }

 private:
  bool locked_ = false;
};

}  // namespace

TEST_CASE(
    "what is moved here at any moment of a run is moved there in the end, and never deleted") {
  scene s;
  watched_files disk;
  auto local = mb::mailbox::open(disk, s.place / "here", {":memory:"}).value();
  REQUIRE(s.update("bob", local, true));
  bool moved = true;
  for (int moment = 1; moved; ++moment) {
    CAPTURE(moment);
    const std::vector ids{s.give("bob", fmt::format("{}", moment))};
    REQUIRE(s.update("bob", local, true));
    REQUIRE(s.here.find("inbox", ids[0]).value());
    int looks = 0;
    moved = false;
    disk.on_look = [&] {
      if (++looks != moment) return;
      moved = true;
      REQUIRE(s.here.create_folder("kept"));
      REQUIRE(s.here.move("inbox", "kept", ids));
    };
    REQUIRE(s.update("bob", local, true));
    disk.on_look = [] {};
    CHECK(s.bob.locate(ids[0]).value());
    REQUIRE(s.update("bob", local, true));
    const auto there = s.bob.locate(ids[0]).value();
    REQUIRE(there);
    if (!moved) continue;
    CHECK(there->folder == "kept");
    for (auto* box : {&s.bob, &s.here}) {
      REQUIRE(box->remove("kept", ids));
      REQUIRE(box->delete_folder("kept"));
    }
    REQUIRE(s.update("bob", local, true));
  }
  CHECK(s.complaints.empty());
}

TEST_CASE(
    "a message that two mailboxes have stays in their common copy until both are without it") {
  scene s;
  const std::vector both{s.give("bob", "both")};
  REQUIRE(s.give("carol", "both") == both[0]);
  const std::vector elsewhere{s.give("here", "delivered here, too")};
  REQUIRE(s.give("bob", "delivered here, too") == elsewhere[0]);
  for (const auto* user : {"bob", "carol", "bob"}) REQUIRE(s.update(user, s.here));
  const auto goes_at = [&](mb::mailbox& box, const std::string& id) {
    REQUIRE(box.take_in());
    REQUIRE(box.remove("inbox", std::vector{id}));
  };
  goes_at(s.bob, both[0]);
  goes_at(s.bob, elsewhere[0]);
  for (const auto* user : {"bob", "carol", "bob"}) REQUIRE(s.update(user, s.here));
  CHECK(whole(s.here, both[0], compose("both", {{"text"}})));
  CHECK(s.here.locate(elsewhere[0]).value());
  // Also where everything is compared afresh.
  REQUIRE(s.bob.compact());
  REQUIRE(s.carol.compact());
  for (const auto* user : {"bob", "carol"}) REQUIRE(s.update(user, s.here));
  CHECK(s.here.locate(both[0]).value());
  goes_at(s.carol, both[0]);
  REQUIRE(s.update("bob", s.here));
  CHECK(s.here.locate(both[0]).value());
  REQUIRE(s.update("carol", s.here));
  CHECK_FALSE(s.here.locate(both[0]).value());
  CHECK(s.here.locate(elsewhere[0]).value());
  // And it is as any other where it comes again.
  REQUIRE(s.carol.forget_deletion(both));
  REQUIRE(s.give("carol", "both") == both[0]);
  REQUIRE(s.update("carol", s.here));
  CHECK(s.here.locate(both[0]).value());
  goes_at(s.carol, both[0]);
  REQUIRE(s.update("carol", s.here));
  CHECK_FALSE(s.here.locate(both[0]).value());
}

namespace {

mb::mailbox repaired(const std::string& path) {
  REQUIRE(mb::mailbox::repair(files, path, {":memory:"}));
  return mb::mailbox::open(files, path, {":memory:"}).value();
}

void lose_files(const std::string& path, const std::string& id) {
  REQUIRE(std::filesystem::remove(path + "/msg/" + id.substr(0, 2) + "/" + id + ".ima"));
}

}  // namespace

TEST_CASE(
    "a copy that lost messages has them again once it is repaired, and nothing else changes") {
  scene s;
  const std::vector lost{s.give("bob", "lost")};
  const std::vector kept{s.give("bob", "kept")};
  const std::vector deleted{s.give("bob", "deleted")};
  REQUIRE(s.bob.take_in());
  REQUIRE(s.bob.copy("inbox", "inbox", lost));
  REQUIRE(s.update("bob", s.here));
  REQUIRE(s.here.status("inbox").value().messages == 4);
  REQUIRE(s.here.set_flags("inbox", kept, {{"seen"}, {}, {}}));
  REQUIRE(s.here.remove("inbox", deleted));
  const auto all = s.here.changes("inbox", "0", 10).value();
  for (const auto& entry : all.entries)
    if (!entry.gone && entry.id.starts_with(lost[0])) lose_files(s.place / "here", entry.id);
  s.here = repaired(s.place / "here");
  REQUIRE(s.here.status("inbox").value().messages == 1);
  REQUIRE(s.update("bob", s.here));
  CHECK(whole(s.here, lost[0], compose("lost", {{"text"}})));
  CHECK(s.here.status("inbox").value().messages == 3);
  CHECK_FALSE(s.here.locate(deleted[0]).value());
  CHECK(s.here.locate(kept[0]).value()->message.flags == std::vector<std::string>{"seen"});
  CHECK(s.complaints.empty());
  // One that is deleted after the repair stays so.
  REQUIRE(s.here.remove("inbox", lost));
  REQUIRE(s.update("bob", s.here));
  CHECK_FALSE(s.here.locate(lost[0]).value());
}

TEST_CASE("what was changed here right before a compaction stays here, which is said once") {
  scene s;
  const std::vector ids{s.give("bob", "flags")};
  REQUIRE(s.update("bob", s.here, true));
  REQUIRE(s.update("bob", s.here, true));
  REQUIRE(s.here.set_flags("inbox", ids, {{"seen"}, {}, {}}));
  REQUIRE(s.here.compact());
  REQUIRE(s.update("bob", s.here, true));
  REQUIRE(s.complaints.size() == 1);
  CHECK(s.complaints[0].starts_with("inbox: the directory was repaired or compacted"));
  CHECK(s.here.locate(ids[0]).value()->message.flags == std::vector<std::string>{"seen"});
  REQUIRE(s.here.set_flags("inbox", ids, {{"flagged"}, {}, {}}));
  REQUIRE(s.update("bob", s.here, true));
  CHECK(s.complaints.size() == 1);
  CHECK(s.bob.locate(ids[0]).value()->message.flags == std::vector<std::string>{"flagged", "seen"});
}

TEST_CASE("damaged notes of a copy keep nothing out, whatever they were about") {
  for (const bool two_way : {false, true})
    for (const auto* damage : {"zzz\n", "z", "-", " ", "\n", "0\nseen flagged"}) {
      CAPTURE(damage);
      scene s;
      const std::vector ids{s.give("bob", "one")};
      REQUIRE(s.bob.take_in());
      REQUIRE(s.bob.copy("inbox", "inbox", ids));
      REQUIRE(s.update("bob", s.here, two_way));
      REQUIRE(s.update("bob", s.here, two_way));
      for (const auto& note : std::filesystem::directory_iterator(s.place / "here/sync"))
        std::ofstream(note.path(), std::ios::trunc) << damage;
      const auto two = s.give("bob", "two");
      REQUIRE(s.update("bob", s.here, two_way));
      REQUIRE(s.update("bob", s.here, two_way));
      CHECK(s.here.locate(two).value());
      CHECK(s.here.status("inbox").value().messages == 3);
      CHECK(s.bob.status("inbox").value().messages == 3);
    }
}

TEST_CASE("a message with as many flags as may be goes both ways") {
  scene s;
  const std::vector ids{s.give("bob", "flags")};
  REQUIRE(s.bob.take_in());
  mb::flag_change most;
  for (int i = 0; i < 64; ++i) most.add.push_back(fmt::format("k{}", i));
  REQUIRE(s.bob.set_flags("inbox", ids, most));
  REQUIRE(s.update("bob", s.here, true));
  CHECK(s.here.locate(ids[0]).value()->message.flags.size() == 64);
  // The flag has room there only once the other has gone.
  REQUIRE(s.here.set_flags("inbox", ids, {{"seen"}, {"k0"}, {}}));
  REQUIRE(s.bob.set_flags("inbox", ids, {{"junk"}, {"k0"}, {}}));
  REQUIRE(s.here.set_flags("inbox", ids, {{"k1"}, {}, {}}));
  REQUIRE(s.update("bob", s.here, true));
  REQUIRE(s.here.set_flags("inbox", ids, {{"seen"}, {"junk"}, {}}));
  REQUIRE(s.update("bob", s.here, true));
  const auto there = s.bob.locate(ids[0]).value()->message.flags;
  CHECK(there == s.here.locate(ids[0]).value()->message.flags);
  CHECK(there.size() == 64);
  CHECK(std::ranges::count(there, "seen") == 1);
  CHECK(s.complaints.empty());
}

TEST_CASE("a record that a post office made up keeps no other message out") {
  scene s;
  memory_mail::store store;
  const auto odd = compose("odd", {});
  const auto good = compose("good", {});
  const std::string odd_id = odd.header.id_digest().hex();
  const std::string good_id = good.header.id_digest().hex();
  store.inbox[odd_id] = {std::string(odd.header.text()), {}, {}, 1, "ima-record: 1\ntls: a\tb\n\n"};
  store.inbox[good_id] = {std::string(good.header.text()), {}, {}, 2};
  memory_mail::users users{store};
  const running_server server(users);
  auto client = server.connect("bob");
  auto downloads = mirror::download_folder::open(s.place / "here").value();
  mirror::mirror copy(client, s.here, downloads,
                      {s.place / "here", "b.example\nbob", {}, {}, {}, {}});
  REQUIRE(copy.update([](const auto&) {}, [](const auto&) {}));
  REQUIRE(copy.failures().size() == 1);
  CHECK(copy.failures()[0].place == "inbox/" + odd_id);
  CHECK(s.here.locate(good_id).value());
  CHECK_FALSE(s.here.locate(odd_id).value());
}
