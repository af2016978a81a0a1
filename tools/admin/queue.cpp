// ima-admin queue …

#include "commands.hpp"
#include "exit_codes.hpp"
#include "json.hpp"
#include "output.hpp"
#include "result_json.hpp"

#include <ima/date.hpp>
#include <ima/mailbox/file_system.hpp>
#include <ima/service/queue.hpp>

#include <algorithm>
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
  bool all = false;
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

// Why a host's recipients do not have it yet, or what became of them: a word, and for people.
struct reason {
  std::string_view word;
  std::string text;
};

reason why(const queued_message& m, const queued_host& h, std::chrono::sys_seconds now) {
  if (!h.open() && h.failed())
    return {"failed", "done with; some recipients were refused for good"};
  if (!h.open()) return {"delivered", "done with; all recipients have it"};
  if (m.held) return {"held", "held until it is released"};
  if (h.next > now) return {"waits", "tried again at " + date(h.next)};
  if (h.tries == 0)
    return {"untried", "not tried yet, or waiting with others for a host that is away"};
  return {"due", "due since " + date(h.next) + ", when a runner comes to it"};
}

void explain(const queued_message& m, const queued_host& h, std::chrono::sys_seconds now) {
  tools::print("{}: ", h.host);
  if (h.tries > 0)
    tools::print("tried {} times, last at {}: {}; ", h.tries, date(h.changed),
                 h.problem.empty() ? "it answered" : printable(h.problem));
  tools::print("{}\n", why(m, h, now).text);
  for (const auto& r : h.results)
    if (!r.text.empty())
      tools::print("  {} {}: {}\n", to_string(r.what), r.recipient.text(), printable(r.text));
}

void explain(const queued_message& m, const queued_host& h, std::chrono::sys_seconds now,
             json_writer& out) {
  const reason found = why(m, h, now);
  out.object().key("host").text(h.host).key("why").text(found.word).key("text").text(found.text);
  out.key("tries").number(h.tries).key("last").text(h.tries == 0 ? "" : date(h.changed));
  out.key("problem").text(h.problem);
  out.key("next").text(h.open() && !m.held ? date(h.next) : "");
  out.key("results");
  put_results(out, h.results);
  out.end();
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
  const auto now = queue.disk().now();
  if (!a.json) {
    tools::print("{} from {} since {}\n", m->id, m->originator, date(m->created));
    for (const queued_host& h : m->hosts) explain(*m, h, now);
    return exit_ok;
  }
  json_writer out;
  out.object().key("id").text(m->id).key("created").text(date(m->created));
  out.key("originator").text(m->originator).key("hosts").array();
  for (const queued_host& h : m->hosts) explain(*m, h, now, out);
  tools::print("{}\n", out.end().end().str());
  return exit_ok;
}

// Does something to each message; names those with which it failed, and goes on. What will not pass
// by itself outweighs what may.
int with_each(service::queue& queue, const std::function<result<void>(const std::string&)>& act) {
  const auto ids = queue.ids();
  if (!ids) return complain(program, ids.error());
  int worst = exit_ok;
  for (const std::string& id : *ids) {
    const auto good = act(id);
    if (good || good.error().rule == "queue-id") continue;  // gone since
    print_error("{}: {}: {}\n", program, id, good.error().message());
    if (worst == exit_ok || worst == exit_temporary) worst = exit_code_of(good.error());
  }
  return worst;
}

int list(service::queue& queue, const queue_arguments& a) {
  json_writer out;
  out.array();
  const int worst = with_each(queue, [&](const std::string& id) -> result<void> {
    const auto m = queue.read(id);
    if (!m) return m.error();
    a.json ? put(out, *m) : print(*m);
    return {};
  });
  out.end();
  if (a.json) tools::print("{}\n", out.str());
  return worst;
}

int retry(service::queue& queue, const queue_arguments& a) {
  if (a.all) return with_each(queue, [&](const std::string& id) { return queue.retry(id); });
  const auto done = queue.retry(a.id);
  return done ? exit_ok : complain(program, done.error());
}

using change = result<void> (service::queue::*)(std::string_view);

struct command {
  std::string_view name;
  std::string_view about;
  enum { all, one, either } about_which;
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
  constexpr const char* which = "The message, as list shows it";
  if (c.about_which == command::one) sub->add_option("ID", a->id, which)->required();
  if (c.about_which == command::either) {
    CLI::App* either = sub->add_option_group("which")->require_option(1);
    either->add_option("ID", a->id, which);
    either->add_flag("--all", a->all, "All messages");
  }
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
           command{"list", "List what waits", command::all, true, list},
           command{"show", "Show a message's state and header", command::one, true, show},
           command{"explain", "Say why a message waits", command::one, true, explain_message},
           command{"retry", "Try a message at once", command::either, false, retry},
           command{"hold", "Do not try a message", command::one, false, doing(&queue::hold)},
           command{"release", "Try a held message again", command::one, false,
                   doing(&queue::release)},
           command{"drop", "Remove a message, without a report", command::one, false,
                   doing(&queue::drop)},
       })
    add(*subject, c, chosen);
}

}  // namespace ima::tools::admin
