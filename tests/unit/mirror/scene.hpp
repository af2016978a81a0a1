#pragma once

#include "../mailbox/fixture.hpp"
#include "../mailbox/mortal_file_system.hpp"
#include "authority.hpp"

#include <ima/mirror/download_folder.hpp>
#include <ima/mirror/mirror.hpp>
#include <ima/net/retrieval_client.hpp>
#include <ima/net/retrieval_server.hpp>
#include <ima/service/post_office.hpp>

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

// A post office with mailboxes, a mirror of one, and people who work on either side.

namespace mirror_test {

using namespace ima;
using namespace mailbox_test;

inline auto& files = mb::posix_file_system();

inline const test::authority& the_authority() {
  static const test::authority made;
  static const bool issued = (made.issue_domain("b.example"), true);
  REQUIRE(issued);
  return made;
}

inline tls::context context_of(bool server) {
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

inline mb::mailbox made(const std::string& path) {
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

// What a message is on both sides: its folder and flags, or nothing.
inline std::string where(mb::mailbox& box, const std::string& id) {
  const auto found = box.locate(id).value();
  return found ? fmt::format("{}: {}", found->folder, fmt::join(found->message.flags, " ")) : "";
}

inline void is_on_both(scene& s, const std::string& id, const std::string& what) {
  CHECK(where(s.bob, id) == what);
  CHECK(where(s.here, id) == what);
}

inline void set(mb::mailbox& box, const std::string& folder, const std::string& id,
                const mb::flag_change& what) {
  REQUIRE(box.set_flags(folder, std::vector{id}, what));
}

inline void move(mb::mailbox& box, const std::string& id, const std::string& from,
                 const std::string& to) {
  REQUIRE(box.move(from, to, std::vector{id}));
}

// A message of bob's in the folder "work", on both sides.
inline std::string give_to_work(scene& s, const std::string& subject) {
  const auto id = s.give("bob", subject);
  REQUIRE(s.bob.take_in());
  (void)s.bob.create_folder("work");  // which may be there
  move(s.bob, id, "inbox", "work");
  REQUIRE(s.update("bob", s.here, true));
  is_on_both(s, id, "work: ");
  return id;
}

// A run that is stopped before a change that it makes here; false where it made fewer.
inline bool stop_run(scene& s, std::uint64_t moment) {
  mortal_file_system mortal(files);
  auto local = mb::mailbox::open(mortal, s.place / "here", {":memory:"}).value();
  mortal.changes = 0;
  mortal.die_at = moment;
  return !s.update("bob", local, true);
}

// Two more runs, as what the first sends comes back to the second.
inline void ends_as(scene& s, const std::string& id, const std::string& what) {
  for (int run = 0; run < 2; ++run) {
    REQUIRE(s.update("bob", s.here, true));
    is_on_both(s, id, what);
  }
}

using change = std::function<void(scene&, const std::string&)>;

}  // namespace mirror_test
