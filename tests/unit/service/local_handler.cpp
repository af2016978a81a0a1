#include <ima/mailbox/delivery.hpp>
#include <ima/mailbox/mailbox.hpp>
#include <ima/message.hpp>
#include <ima/service/local_handler.hpp>

#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

using namespace ima;
using namespace ima::delivery;
using kind = header_answer::kind;

namespace {

class lines : public reply_sink {
 public:
  void result(const recipient_result& r) override {
    all.push_back(std::string(to_string(r.what)) + " " + std::string(r.recipient.text()));
  }
  void note(std::string_view text) override { all.push_back("NOTE " + std::string(text)); }
  std::vector<std::string> all;
};

// A host b.example where bob has a mailbox, and others whatever a test gives them.
struct host {
  std::string folder = [] {
    std::string name = (std::filesystem::temp_directory_path() / "ima-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    return name;
  }();
  std::string bob_box = folder + "/bob";
  mailbox::file_system& disk = mailbox::posix_file_system();
  service::routing_table routes;
  service::local_handler handler{disk, routes};
  peer_info peer{"b.example", "a.example", "127.0.0.1:4711", "TLSv1.3/X", {}};

  host() {
    REQUIRE(mailbox::mailbox::create(disk, bob_box));
    routes.add_host("b.example");
    REQUIRE(routes.add(address::parse("bob@b.example").value(), {bob_box, {}}));
  }
  host(const host&) = delete;
  host& operator=(const host&) = delete;
  ~host() { std::filesystem::remove_all(folder); }

  void run(const std::string& who, const std::string& script) {
    REQUIRE(routes.add(address::parse(who).value(), {"", {"/bin/sh", "-c", script, "{address}"}}));
  }
};

const std::string text = "hello\n";

header_block message_to(const std::vector<std::string>& recipients) {
  header_builder builder;
  builder.field("from", "alice@a.example");
  for (const std::string& r : recipients) builder.field("to", r);
  builder.part({text.size(), digest::of(text), "text/plain", "", "", "", ""});
  return builder.build().value();
}

void give_body(transaction& t, const header_block& header) {
  body_reader reader(header);
  octets body = text;
  while (auto slice = reader.next(body).value()) REQUIRE(t.body(*slice));
  REQUIRE(reader.complete());
}

// The verdict on an accepted message.
verdict deliver(host& h, const header_block& header, lines& out) {
  const auto t = h.handler.open(header, h.peer);
  REQUIRE(t->judge().what == kind::accept);
  give_body(*t, header);
  return t->finish(out).what;
}

std::string content(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("a message for a mailbox is delivered, and a second copy needs no body") {
  host h;
  const auto header = message_to({"bob@b.example"});
  lines out;
  CHECK(deliver(h, header, out) == verdict::ok);
  CHECK(out.all == std::vector<std::string>{"OK bob@b.example"});
  CHECK(mailbox::contains(h.disk, h.bob_box, header.id_digest()).value());

  const auto again = h.handler.open(header, h.peer)->judge();
  CHECK(again.what == kind::verdict);
  CHECK(again.final_verdict == verdict::ok);
  REQUIRE(again.already.size() == 1);
}

TEST_CASE("every unknown recipient is named, and nobody gets anything") {
  host h;
  const auto header = message_to({"bob@b.example", "x@b.example", "y@b.example"});
  const auto answer = h.handler.open(header, h.peer)->judge();
  CHECK(answer.what == kind::reject);
  CHECK(answer.why == reason::recipients);
  CHECK(answer.unknown.size() == 2);
  CHECK_FALSE(mailbox::contains(h.disk, h.bob_box, header.id_digest()).value());
}

TEST_CASE("another host's recipients are somebody else's") {
  host h;
  lines out;
  CHECK(deliver(h, message_to({"bob@b.example", "carol@c.example"}), out) == verdict::ok);
  CHECK(out.all == std::vector<std::string>{"OK bob@b.example"});
  const auto none = h.handler.open(message_to({"carol@c.example"}), h.peer)->judge();
  CHECK(none.what == kind::reject);
  CHECK(none.unknown.empty());
}

TEST_CASE("a second copy waits while the first is in hand") {
  host h;
  const auto header = message_to({"bob@b.example"});
  auto first = h.handler.open(header, h.peer);
  REQUIRE(first->judge().what == kind::accept);
  const auto second = h.handler.open(header, h.peer)->judge();
  CHECK(second.what == kind::defer);
  CHECK(second.why == reason::in_progress);
  first.reset();
  CHECK(h.handler.open(header, h.peer)->judge().what == kind::accept);
}

TEST_CASE("a transaction that is dropped leaves nothing behind") {
  host h;
  const auto header = message_to({"bob@b.example"});
  const auto t = h.handler.open(header, h.peer);
  REQUIRE(t->judge().what == kind::accept);
  CHECK_FALSE(mailbox::contains(h.disk, h.bob_box, header.id_digest()).value());
}

TEST_CASE("an entry that cannot be read defers its own recipient alone") {
  struct : service::route_source {
    ima::result<std::optional<service::route>> find(std::string_view key) const override {
      if (key == "odd@b.example") return error{fault::temporary, "route-database", "", "wrong"};
      return std::optional<service::route>();
    }
  } table;
  host h;
  h.routes.add_source({std::shared_ptr<void>(), &table});
  lines out;
  CHECK(deliver(h, message_to({"bob@b.example", "odd@b.example"}), out) == verdict::partial);
  CHECK(out.all == std::vector<std::string>{"OK bob@b.example", "DEFER odd@b.example"});
  const auto alone = h.handler.open(message_to({"odd@b.example"}), h.peer)->judge();
  CHECK(alone.what == kind::defer);
  CHECK(alone.why == reason::storage);
}

TEST_CASE("a command gets the message and what the server knows of the peer") {
  host h;
  h.run("list@b.example", "cat > " + h.folder + "/got; echo $0 from $IMA_VERIFIED_DOMAIN");
  lines out;
  CHECK(deliver(h, message_to({"list@b.example"}), out) == verdict::ok);
  CHECK(out.all == std::vector<std::string>{"NOTE list@b.example list@b.example from a.example",
                                            "OK list@b.example"});
  const std::string got = content(h.folder + "/got");
  CHECK(got.starts_with("ima: 1\n"));
  CHECK(got.ends_with("\n\nhello\n"));
  CHECK(got.find("\nreceived: ") != std::string::npos);
}

TEST_CASE("exit codes become results, and a mixture is partial") {
  host h;
  h.run("no@b.example", "exit 1");
  h.run("later@b.example", "exit 75");
  h.run("killed@b.example", "kill -9 $$");
  lines out;
  const auto header =
      message_to({"bob@b.example", "no@b.example", "later@b.example", "killed@b.example"});
  CHECK(deliver(h, header, out) == verdict::partial);
  CHECK(out.all == std::vector<std::string>{"OK bob@b.example", "FAIL no@b.example",
                                            "DEFER later@b.example", "DEFER killed@b.example"});
}

TEST_CASE("a command cannot forge another recipient's result") {
  host h;
  h.run("evil@b.example", "echo 'OK bob@b.example'; exit 1");
  lines out;
  CHECK(deliver(h, message_to({"evil@b.example"}), out) == verdict::fail);
  CHECK(out.all ==
        std::vector<std::string>{"NOTE evil@b.example OK bob@b.example", "FAIL evil@b.example"});
}

namespace {

void fill(host& h, const std::string& box) {
  auto opened = mailbox::mailbox::open(h.disk, box).value();
  REQUIRE(opened.set_quota({1, 0}));
}

service::route alias(const std::vector<std::string>& members) {
  service::route made;
  for (const std::string& m : members) made.alias.push_back(address::parse(m).value());
  return made;
}

}  // namespace

TEST_CASE("one who is over quota fails alone; if all are, the message is rejected") {
  host h;
  const std::string ann_box = h.folder + "/ann";
  REQUIRE(mailbox::mailbox::create(h.disk, ann_box));
  REQUIRE(h.routes.add(address::parse("ann@b.example").value(), {ann_box, {}, {}}));
  fill(h, h.bob_box);
  lines out;
  const auto both = message_to({"bob@b.example", "ann@b.example"});
  CHECK(deliver(h, both, out) == verdict::partial);
  CHECK(out.all == std::vector<std::string>{"FAIL bob@b.example", "OK ann@b.example"});
  CHECK_FALSE(mailbox::contains(h.disk, h.bob_box, both.id_digest()).value());

  const auto answer = h.handler.open(message_to({"bob@b.example"}), h.peer)->judge();
  CHECK(answer.what == kind::reject);
  CHECK(answer.why == reason::quota);
  const auto again = h.handler.open(both, h.peer)->judge();
  CHECK(again.what == kind::reject);
  REQUIRE(again.already.size() == 1);
}

TEST_CASE("recipients that lead to one mailbox leave one copy in it") {
  host h;
  REQUIRE(h.routes.add(address::parse("all@b.example").value(), alias({"bob@b.example"})));
  lines out;
  const auto header = message_to({"all@b.example", "bob@b.example", "bob+x@b.example"});
  CHECK(deliver(h, header, out) == verdict::ok);
  CHECK(out.all ==
        std::vector<std::string>{"OK all@b.example", "OK bob@b.example", "OK bob+x@b.example"});
  std::size_t copies = 0;
  for (const auto& entry : std::filesystem::directory_iterator(h.bob_box + "/new"))
    copies += entry.exists() ? 1 : 0;
  CHECK(copies == 1);
  CHECK(h.handler.open(header, h.peer)->judge().already.size() == 3);
}

TEST_CASE("an alias without a way to send is deferred, and its members here are not") {
  host h;
  REQUIRE(h.routes.add(address::parse("all@b.example").value(),
                       alias({"bob@b.example", "carol@c.example"})));
  lines out;
  const auto header = message_to({"all@b.example"});
  CHECK(deliver(h, header, out) == verdict::defer);
  CHECK(mailbox::contains(h.disk, h.bob_box, header.id_digest()).value());
}

TEST_CASE(
    "members elsewhere are named as far as the message's own recipients leave room for them") {
  host h;
  const std::string log = h.folder + "/named";
  service::local_handler_options options;
  options.bounds.recipients = 5;
  options.send_command = {"/bin/sh", "-c", "grep -E '^(to|cc|bcc|for): ' | wc -l >>" + log};
  REQUIRE(h.routes.add(
      address::parse("team@b.example").value(),
      alias({"a@c.example", "b@c.example", "c@c.example", "d@c.example", "e@c.example"})));
  service::local_handler handler{h.disk, h.routes, options};
  const auto send = [&](std::size_t others) {
    std::filesystem::remove(log);
    std::vector<std::string> to{"team@b.example"};
    while (to.size() <= others) to.push_back("x" + std::to_string(to.size()) + "@d.example");
    lines out;
    const auto header = message_to(to);
    const auto t = handler.open(header, h.peer);
    REQUIRE(t->judge().what == kind::accept);
    give_body(*t, header);
    return t->finish(out).what;
  };
  CHECK(send(0) == verdict::ok);
  CHECK(content(log) == "5\n2\n");
  CHECK(send(2) == verdict::ok);
  CHECK(content(log) == "5\n5\n4\n");
  CHECK(send(3) == verdict::ok);
  CHECK(content(log) == "5\n5\n5\n5\n5\n");
  CHECK(send(4) == verdict::fail);
  CHECK_FALSE(std::filesystem::exists(log));
}

TEST_CASE("an alias that the message went through is a loop, alone or among others") {
  host h;
  REQUIRE(h.routes.add(address::parse("all@b.example").value(), alias({"bob@b.example"})));
  header_builder builder;
  builder.field("from", "alice@a.example").field("to", "all@b.example");
  builder.field("via", "all@b.example");
  const auto answer = h.handler.open(builder.build().value(), h.peer)->judge();
  CHECK(answer.what == kind::reject);
  CHECK(answer.why == reason::loop);

  builder.field("to", "bob@b.example");
  const auto both = builder.build().value();
  const auto t = h.handler.open(both, h.peer);
  REQUIRE(t->judge().what == kind::accept);
  lines out;
  CHECK(t->finish(out).what == verdict::partial);
  CHECK(out.all == std::vector<std::string>{"FAIL all@b.example", "OK bob@b.example"});
}

TEST_CASE("a report goes on to a list's owner, never to its members") {
  host h;
  const auto put = [&](const char* who, const std::vector<std::string>& members) {
    REQUIRE(h.routes.add(address::parse(who).value(), alias(members)));
  };
  put("all@b.example", {"bob@b.example", "carol@c.example"});
  put("robert@b.example", {"bob@b.example"});
  const auto report_to = [](const std::string& who) {
    header_builder builder;
    builder.field("from", "postmaster@b.example").field("to", who).field("auto", "report");
    return builder.part({text.size(), digest::of(text), "text/plain", "", "", "", ""})
        .build()
        .value();
  };
  const auto refused = h.handler.open(report_to("all@b.example"), h.peer)->judge();
  CHECK(refused.what == kind::reject);
  CHECK(refused.why == reason::loop);
  CHECK(refused.text.find("no owner") != std::string::npos);
  lines out;
  CHECK(deliver(h, report_to("robert@b.example"), out) == verdict::ok);  // a person's other name
  CHECK(mailbox::contains(h.disk, h.bob_box, report_to("robert@b.example").id_digest()).value());

  put("owner-all@b.example", {"bob@b.example"});
  CHECK(deliver(h, report_to("all@b.example"), out) == verdict::ok);
  CHECK(mailbox::contains(h.disk, h.bob_box, report_to("all@b.example").id_digest()).value());
  put("team@b.example", {"all@b.example"});  // one member, who stands for several
  CHECK(h.handler.open(report_to("team@b.example"), h.peer)->judge().why == reason::loop);
}

TEST_CASE("an offer that comes to nothing writes nothing") {
  host h;
  const auto t = h.handler.open(message_to({"bob@b.example"}), h.peer);
  REQUIRE(t->judge().what == kind::accept);
  CHECK(std::filesystem::is_empty(h.bob_box + "/tmp"));
}
