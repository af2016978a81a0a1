#include "../mailbox/fixture.hpp"
#include "../mailbox/mortal_file_system.hpp"
#include "../retrieval/memory_mail.hpp"
#include "authority.hpp"

#include <ima/mirror/download_folder.hpp>
#include <ima/mirror/mirror.hpp>
#include <ima/net/retrieval_client.hpp>
#include <ima/net/retrieval_server.hpp>
#include <ima/service/post_office.hpp>

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <set>
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

namespace {

// What a message is on both sides: its folder and flags, or nothing.
std::string where(mb::mailbox& box, const std::string& id) {
  const auto found = box.locate(id).value();
  return found ? fmt::format("{}: {}", found->folder, fmt::join(found->message.flags, " ")) : "";
}

void is_on_both(scene& s, const std::string& id, const std::string& what) {
  CHECK(where(s.bob, id) == what);
  CHECK(where(s.here, id) == what);
}

// Stops a run at each change that it makes here, one after the other. Bob changes something before
// it and takes it back after it; once the next run is through, all is as expected on both sides.
void stop_everywhere(const std::function<void(scene&, const std::string&)>& change,
                     const std::function<void(scene&, const std::string&)>& take_back,
                     const std::string& in_the_end) {
  scene s;
  REQUIRE(s.bob.create_folder("work"));
  REQUIRE(s.update("bob", s.here, true));
  bool stopped = true;
  for (std::uint64_t moment = 1; stopped; ++moment) {
    CAPTURE(moment);
    const std::vector ids{s.give("bob", fmt::format("{}", moment))};
    REQUIRE(s.bob.take_in());
    REQUIRE(s.bob.move("inbox", "work", ids));
    REQUIRE(s.update("bob", s.here, true));
    is_on_both(s, ids[0], "work: ");
    change(s, ids[0]);
    mortal_file_system mortal(files);
    {
      auto local = mb::mailbox::open(mortal, s.place / "here", {":memory:"}).value();
      mortal.changes = 0;
      mortal.die_at = moment;
      stopped = !s.update("bob", local, true);
    }
    take_back(s, ids[0]);
    for (int run = 0; run < 2; ++run) {
      REQUIRE(s.update("bob", s.here, true));
      is_on_both(s, ids[0], in_the_end);
    }
    REQUIRE(s.bob.remove("work", ids));
  }
  CHECK(s.complaints.empty());
}

}  // namespace

TEST_CASE("what a run did that was stopped at any moment is never taken for a person's work") {
  const auto file_elsewhere = [](scene& s, const std::string& id) {
    const std::vector ids{id};
    REQUIRE(s.bob.move("work", "inbox", ids));
    REQUIRE(s.bob.set_flags("inbox", ids, {{"flagged"}, {}, {}}));
  };
  const auto file_back = [](scene& s, const std::string& id) {
    const std::vector ids{id};
    REQUIRE(s.bob.move("inbox", "work", ids));
    REQUIRE(s.bob.set_flags("work", ids, {{}, {"flagged"}, {}}));
  };
  SUBCASE("a message was moved and flagged") {
    stop_everywhere(file_elsewhere, file_back, "work: ");
  }
  SUBCASE("and everything is listed afresh") {
    stop_everywhere(
        file_elsewhere,
        [&](scene& s, const std::string& id) {
          file_back(s, id);
          REQUIRE(s.bob.compact());
        },
        "work: ");
  }
  SUBCASE("a folder had another name for a while") {
    stop_everywhere(
        [](scene& s, const std::string&) { REQUIRE(s.bob.rename_folder("work", "play")); },
        [](scene& s, const std::string&) { REQUIRE(s.bob.rename_folder("play", "work")); },
        "work: ");
  }
  SUBCASE("and its messages were flagged here meanwhile") {
    stop_everywhere(
        [](scene& s, const std::string&) { REQUIRE(s.bob.rename_folder("work", "play")); },
        [](scene& s, const std::string& id) {
          REQUIRE(s.bob.rename_folder("play", "work"));
          const auto now = s.here.locate(id).value();
          REQUIRE(s.here.set_flags(now->folder, std::vector{id}, {{"flagged"}, {}, {}}));
        },
        "work: flagged");
  }
}

TEST_CASE("a folder that is renamed there at any moment of a run stops it for now at most") {
  scene s;
  watched_files disk;
  auto local = mb::mailbox::open(disk, s.place / "here", {":memory:"}).value();
  REQUIRE(s.bob.create_folder("1"));
  const auto id = s.give("bob", "mail");
  REQUIRE(s.bob.take_in());
  REQUIRE(s.bob.move("inbox", "1", std::vector{id}));
  REQUIRE(s.update("bob", local, true));
  bool stopped = false;
  bool renamed = true;
  for (int moment = 1; renamed; ++moment) {
    CAPTURE(moment);
    int looks = 0;
    renamed = false;
    disk.on_look = [&] {
      if (++looks != moment) return;
      renamed = true;
      REQUIRE(s.bob.rename_folder(fmt::format("{}", moment), fmt::format("{}", moment + 1)));
    };
    const auto done = s.update("bob", local, true);
    disk.on_look = [] {};
    if (!done) CHECK(done.error().kind == fault::temporary);
    stopped = stopped || !done;
    REQUIRE(s.update("bob", local, true));
    is_on_both(s, id, fmt::format("{}: ", renamed ? moment + 1 : moment));
  }
  CHECK(stopped);
  CHECK(s.complaints.empty());
}

TEST_CASE("what is done to messages of a folder that is renamed here goes there") {
  scene s;
  const std::vector ids{s.give("bob", "stays"), s.give("bob", "deleted"), s.give("bob", "flagged"),
                        s.give("bob", "moved there")};
  REQUIRE(s.bob.take_in());
  REQUIRE(s.bob.create_folder("work"));
  REQUIRE(s.bob.create_folder("other"));
  REQUIRE(s.bob.move("inbox", "work", ids));
  REQUIRE(s.update("bob", s.here, true));
  REQUIRE(s.here.rename_folder("work", "play"));
  REQUIRE(s.here.remove("play", std::vector{ids[1]}));
  REQUIRE(s.here.set_flags("play", std::vector{ids[2]}, {{"flagged"}, {}, {}}));
  REQUIRE(s.bob.move("work", "other", std::vector{ids[3]}));
  for (int run = 0; run < 2; ++run) {
    REQUIRE(s.update("bob", s.here, true));
    is_on_both(s, ids[0], "play: ");
    is_on_both(s, ids[1], "");
    is_on_both(s, ids[2], "play: flagged");
    is_on_both(s, ids[3], "other: ");
  }
  // And from then on it is a folder as any other.
  REQUIRE(s.here.set_flags("play", std::vector{ids[0]}, {{"seen"}, {}, {}}));
  REQUIRE(s.update("bob", s.here, true));
  is_on_both(s, ids[0], "play: seen");
  CHECK(s.complaints.empty());
}

TEST_CASE("folders whose names are swapped here are swapped there") {
  scene s;
  const std::vector ids{s.give("bob", "first"), s.give("bob", "second")};
  REQUIRE(s.bob.take_in());
  for (std::size_t i = 0; i < 2; ++i) {
    REQUIRE(s.bob.create_folder(i == 0 ? "a" : "b"));
    REQUIRE(s.bob.move("inbox", i == 0 ? "a" : "b", std::vector{ids[i]}));
  }
  REQUIRE(s.update("bob", s.here, true));
  REQUIRE(s.here.rename_folder("a", "c"));
  REQUIRE(s.here.rename_folder("b", "a"));
  REQUIRE(s.here.rename_folder("c", "b"));
  for (int run = 0; run < 2; ++run) {
    REQUIRE(s.update("bob", s.here, true));
    is_on_both(s, ids[0], "b: ");
    is_on_both(s, ids[1], "a: ");
  }
  CHECK(s.complaints.empty());
}

TEST_CASE("a folder that is emptied and deleted here is emptied there") {
  scene s;
  const std::vector ids{s.give("bob", "deleted"), s.give("bob", "moved")};
  REQUIRE(s.bob.take_in());
  REQUIRE(s.bob.create_folder("work"));
  REQUIRE(s.bob.move("inbox", "work", ids));
  REQUIRE(s.update("bob", s.here, true));
  REQUIRE(s.here.remove("work", std::vector{ids[0]}));
  REQUIRE(s.here.move("work", "inbox", std::vector{ids[1]}));
  REQUIRE(s.here.delete_folder("work"));
  REQUIRE(s.update("bob", s.here, true));
  is_on_both(s, ids[0], "");
  is_on_both(s, ids[1], "inbox: ");
  CHECK(s.complaints.empty());
}

TEST_CASE("what was done here in a folder that has another name there is done in that") {
  scene s;
  const std::vector ids{s.give("bob", "flagged"), s.give("bob", "deleted"), s.give("bob", "moved"),
                        s.give("bob", "stays")};
  REQUIRE(s.bob.take_in());
  REQUIRE(s.bob.create_folder("work"));
  REQUIRE(s.bob.move("inbox", "work", ids));
  REQUIRE(s.update("bob", s.here, true));
  REQUIRE(s.here.set_flags("work", std::vector{ids[0]}, {{"flagged"}, {}, {}}));
  REQUIRE(s.here.remove("work", std::vector{ids[1]}));
  REQUIRE(s.here.move("work", "inbox", std::vector{ids[2]}));
  REQUIRE(s.bob.rename_folder("work", "play"));
  for (int run = 0; run < 2; ++run) {
    REQUIRE(s.update("bob", s.here, true));
    is_on_both(s, ids[0], "play: flagged");
    is_on_both(s, ids[1], "");
    is_on_both(s, ids[2], "inbox: ");
    is_on_both(s, ids[3], "play: ");
  }
  CHECK(s.complaints.empty());
}

namespace {

// People who do anything to two mailboxes that are to be the same, by chance.
class people {
 public:
  people(scene& s, unsigned seed, bool one_way) : s_(s), random_(seed), one_way_(one_way) {}

  void work() {
    for (auto times = pick(6); times > 0; --times) change(pick(2) == 0 ? s_.bob : s_.here);
    if (pick(3) == 0) given_.push_back(s_.give("bob", fmt::format("{}", given_.size())));
    REQUIRE(s_.bob.take_in());
    if (pick(12) == 0) REQUIRE(s_.bob.compact());
  }

  // A run that is stopped at some moment, or one that is not.
  void run() {
    if (pick(2) == 0) return finish_run();
    mortal_file_system mortal(files);
    auto local = mb::mailbox::open(mortal, s_.place / "here", {":memory:"}).value();
    mortal.changes = 0;
    if (pick(3) > 0) mortal.die_at = 1 + pick(40);
    (void)s_.update("bob", local, !one_way_ || pick(3) > 0);  // as it may have died
  }

  void finish_run() {
    auto local = mb::mailbox::open(files, s_.place / "here", {":memory:"}).value();
    REQUIRE(s_.update("bob", local, true));
  }

  void compare() {
    CHECK(all(s_.here) == all(s_.bob));
    for (const std::string& id : given_) {
      CAPTURE(id);
      if (!deleted_.contains(id)) CHECK(where(s_.bob, id) != "");
    }
  }

 private:
  std::size_t pick(std::size_t below) { return random_() % below; }

  // Each message by its digest, as a copy has ids of its own, with its folder and flags.
  static std::string all(mb::mailbox& box) {
    std::vector<std::string> found;
    const auto folders = box.folders().value();
    for (const auto& folder : folders)
      for (const std::string& id : in(box, folder.name))
        found.push_back(fmt::format("{} {}\n", id.substr(0, 64), where(box, id)));
    std::ranges::sort(found);
    return fmt::format("{}", fmt::join(found, ""));
  }

  static std::vector<std::string> in(mb::mailbox& box, const std::string& folder) {
    std::vector<std::string> ids;
    const auto page = box.changes(folder, "0", 1000).value();
    for (const auto& entry : page.entries)
      if (!entry.gone) ids.push_back(entry.id);
    return ids;
  }

  std::vector<std::string> some_of(mb::mailbox& box, const std::string& folder) {
    auto ids = in(box, folder);
    std::erase_if(ids, [&](const auto&) { return pick(2) == 0; });
    return ids;
  }

  void change(mb::mailbox& box) {
    const auto folders = box.folders().value();
    const std::string folder = folders[pick(folders.size())].name;
    const std::string fresh = std::string(1, static_cast<char>('a' + pick(4)));
    switch (pick(4)) {
      case 0:
        (void)box.create_folder(fresh);  // which may be there
        break;
      case 1:
        (void)box.rename_folder(folder, fresh);
        break;
      case 2:
        (void)box.delete_folder(folder);  // which may hold something
        break;
      default:
        break;
    }
    const auto now = box.folders().value();
    change_messages(box, now[pick(now.size())].name, now[pick(now.size())].name);
  }

  // A copy made here would be nobody's there; and one way, what was filed here stays though it is
  // deleted there.
  void change_messages(mb::mailbox& box, const std::string& folder, const std::string& other) {
    auto ids = some_of(box, folder);
    const std::string flag = pick(2) == 0 ? "seen" : "flagged";
    switch (pick(7)) {
      case 0:
      case 1:
        REQUIRE(box.move(folder, other, ids));
        break;
      case 2:
        REQUIRE(box.set_flags(folder, ids, {{flag}, {}, {}}));
        break;
      case 3:
        REQUIRE(box.set_flags(folder, ids, {{}, {flag}, {}}));
        break;
      case 4:
        if (&box == &s_.bob && given_.size() < 30) REQUIRE(box.copy(folder, other, ids));
        break;
      case 5:
        if (one_way_) break;
        ids.resize(std::min<std::size_t>(ids.size(), 1));
        REQUIRE(box.remove(folder, ids));
        deleted_.insert(ids.begin(), ids.end());
        break;
      default:
        break;
    }
  }

  scene& s_;
  std::mt19937 random_;
  bool one_way_;
  std::vector<std::string> given_;
  std::set<std::string> deleted_;
};

}  // namespace

TEST_CASE(
    "whatever people do on both sides, and wherever runs are stopped, both are the same then") {
  for (const bool one_way : {false, true})
    for (unsigned seed = 1; seed <= 5; ++seed) {
      CAPTURE(one_way);
      CAPTURE(seed);
      scene s;
      people them(s, seed, one_way);
      them.finish_run();
      for (int round = 0; round < 12; ++round) {
        them.work();
        them.run();
      }
      for (int quiet = 0; quiet < 3; ++quiet) them.finish_run();
      them.compare();
      // Of a folder that is another on both sides nobody knows what was done in it.
      for (const std::string& complaint : s.complaints)
        CHECK(complaint.find(": the folder here is another than") != std::string::npos);
    }
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
