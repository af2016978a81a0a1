// ima-admin queue …

#include "commands.hpp"
#include "exit_codes.hpp"
#include "json.hpp"
#include "output.hpp"
#include "result_json.hpp"

#include <ima/date.hpp>
#include <ima/mailbox/file_system.hpp>
#include <ima/service/queue.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace ima::tools::admin {
namespace {

using service::queued_host;
using service::queued_message;

struct queue_arguments {
  std::string path;
  std::string id;
  bool json = false;
};

std::string date(std::chrono::sys_seconds t) { return timestamp{t, {}}.text(); }

std::string_view state_of(const queued_host& host) {
  if (host.open()) return host.tries == 0 ? "waiting" : "deferred";
  return host.failed() ? "failed" : "delivered";
}

void put(json_writer& out, const queued_host& host) {
  out.object().key("host").text(host.host).key("state").text(state_of(host));
  out.key("tries").number(host.tries).key("next").text(date(host.next));
  out.key("problem").text(host.problem).key("results");
  put_results(out, host.results);
  out.end();
}

void put(json_writer& out, const queued_message& m) {
  out.object().key("id").text(m.id).key("created").text(date(m.created));
  out.key("originator").text(m.originator).key("automatic").flag(m.automatic);
  out.key("held").flag(m.held).key("hosts").array();
  for (const queued_host& h : m.hosts) put(out, h);
  out.end().end();
}

void print(const queued_message& m) {
  tools::print("{} {} {}{}\n", m.id, date(m.created), m.originator, m.held ? " held" : "");
  for (const queued_host& h : m.hosts) {
    tools::print("  {} {} tries={} next={}{}{}\n", h.host, state_of(h), h.tries, date(h.next),
                 h.problem.empty() ? "" : " ", printable(h.problem));
    for (const auto& r : h.results)
      tools::print("    {} {} {}\n", to_string(r.what), r.recipient.text(), printable(r.text));
  }
}

// Why a host's recipients do not have it yet, and what comes next.
void explain(const queued_message& m, const queued_host& h) {
  if (!h.open()) {
    tools::print("{}: done with; {}\n", h.host,
                 h.failed() ? "some recipients were refused for good" : "all recipients have it");
    return;
  }
  tools::print("{}: ", h.host);
  if (h.tries == 0)
    tools::print("not tried yet, or waiting with others for a host that is away");
  else
    tools::print("tried {} times, last at {}: {}", h.tries, date(h.changed), printable(h.problem));
  tools::print("; {}\n", m.held ? "held until it is released" : "due at " + date(h.next));
}

int show(service::queue& queue, const queue_arguments& a) {
  const auto m = queue.read(a.id);
  if (!m) return complain(program, m.error());
  if (!a.json) {
    print(*m);
    const auto header = queue.header(a.id);
    if (!header) return complain(program, header.error());
    for (const header_field& f : header->fields())
      tools::print("  {}: {}\n", f.name, printable(f.value));
    return exit_ok;
  }
  json_writer out;
  put(out, *m);
  tools::print("{}\n", out.str());
  return exit_ok;
}

int explain_message(service::queue& queue, const queue_arguments& a) {
  const auto m = queue.read(a.id);
  if (!m) return complain(program, m.error());
  if (a.json) return show(queue, a);
  tools::print("{} from {} since {}\n", m->id, m->originator, date(m->created));
  for (const queued_host& h : m->hosts) explain(*m, h);
  return exit_ok;
}

int list(service::queue& queue, const queue_arguments& a) {
  const auto ids = queue.ids();
  if (!ids) return complain(program, ids.error());
  json_writer out;
  out.array();
  for (const std::string& id : *ids) {
    const auto m = queue.read(id);
    if (!m && m.error().rule == "queue-id") continue;  // gone since
    if (!m) return complain(program, m.error());
    if (a.json)
      put(out, *m);
    else
      print(*m);
  }
  out.end();
  if (a.json) tools::print("{}\n", out.str());
  return exit_ok;
}

using change = result<void> (service::queue::*)(std::string_view);

struct command {
  std::string_view name;
  std::string_view about;
  bool one;   // about one message
  bool json;  // prints
  std::function<int(service::queue&, const queue_arguments&)> act;
};

std::function<int(service::queue&, const queue_arguments&)> doing(change what) {
  return [what](service::queue& queue, const queue_arguments& a) -> int {
    const auto done = (queue.*what)(a.id);
    return done ? exit_ok : complain(program, done.error());
  };
}

void add(CLI::App& subject, const command& c, action& chosen) {
  CLI::App* sub = subject.add_subcommand(std::string(c.name), std::string(c.about));
  const auto a = std::make_shared<queue_arguments>();
  sub->add_option("QUEUE", a->path, "The queue's directory")->required();
  if (c.one) sub->add_option("ID", a->id, "The message, as list shows it")->required();
  if (c.json) sub->add_flag("--json", a->json, "Print JSON");
  sub->callback([a, act = c.act, &chosen] {
    chosen = [a, act]() -> int {
      auto queue = service::queue::open_existing(mailbox::posix_file_system(), a->path);
      return queue ? act(*queue, *a) : complain(program, queue.error());
    };
  });
}

}  // namespace

void add_queue_commands(CLI::App& app, action& chosen) {
  CLI::App* subject =
      app.add_subcommand("queue", "Messages that wait to be sent")->require_subcommand(1);
  using service::queue;
  for (const command& c : {
           command{"list", "List what waits", false, true, list},
           command{"show", "Show a message's state and header", true, true, show},
           command{"explain", "Say why a message waits", true, true, explain_message},
           command{"retry", "Try a message at once", true, false, doing(&queue::retry)},
           command{"hold", "Do not try a message", true, false, doing(&queue::hold)},
           command{"release", "Try a held message again", true, false, doing(&queue::release)},
           command{"drop", "Remove a message, without a report", true, false, doing(&queue::drop)},
       })
    add(*subject, c, chosen);
}

}  // namespace ima::tools::admin
