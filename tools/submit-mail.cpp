// Gives a message to the user's post office to be sent (docs/man/submit-mail.1.scd).

#include "draft_options.hpp"
#include "json.hpp"
#include "output.hpp"
#include "user_main.hpp"

#include <ima/service/message_file.hpp>

#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace {

using namespace ima;
using retrieval::send_verdict;

constexpr const char* program = "submit-mail";

struct options {
  std::string path;  // of the message; empty: it is made of the draft
  tools::draft_options draft;
  tools::office_settings office;
  retrieval::send_options send;
  std::vector<std::string> answered;
  std::vector<std::string> forwarded;
  std::vector<std::string> parts;
  bool show_queue = false;
  bool json = false;
};

error bad_option(const char* option, const std::string& text, const char* form) {
  return {fault::caller, "option", option, fmt::format("'{}' is not of the form {}", text, form)};
}

// "folder/id".
result<void> add_reference(const char* option, const std::string& text,
                           std::vector<retrieval::message_reference>& list) {
  const std::size_t slash = text.rfind('/');
  if (slash == std::string::npos || slash == 0 || slash + 1 == text.size())
    return bad_option(option, text, "FOLDER/ID");
  list.push_back({text.substr(0, slash), text.substr(slash + 1)});
  return {};
}

bool read_number(std::string_view text, std::uint64_t& number) {
  const char* end = text.data() + text.size();
  const auto [stopped, failed] = std::from_chars(text.data(), end, number);
  return failed == std::errc() && stopped == end && number > 0;
}

// "2=folder/id/3".
result<void> add_part(const std::string& text, std::vector<retrieval::part_reference>& list) {
  const std::size_t equals = text.find('=');
  const std::size_t slash = text.rfind('/');
  retrieval::part_reference part;
  std::vector<retrieval::message_reference> from;
  const bool good = equals != std::string::npos && slash != std::string::npos && slash > equals &&
                    read_number(std::string_view(text).substr(0, equals), part.part) &&
                    read_number(std::string_view(text).substr(slash + 1), part.source) &&
                    add_reference("--part", text.substr(equals + 1, slash - equals - 1), from);
  if (!good) return bad_option("--part", text, "N=FOLDER/ID/N");
  part.from = std::move(from.front());
  list.push_back(std::move(part));
  return {};
}

result<void> read_references(options& given) {
  for (const auto& text : given.answered)
    if (auto good = add_reference("--answered", text, given.send.answered); !good) return good;
  for (const auto& text : given.forwarded)
    if (auto good = add_reference("--forwarded", text, given.send.forwarded); !good) return good;
  for (const auto& text : given.parts)
    if (auto good = add_part(text, given.send.parts); !good) return good;
  return {};
}

// The message, from its file or made of the options.
result<service::message_file> open_message(const options& given) {
  const limits& bounds = given.office.client.bounds;
  if (given.draft.from.empty())
    return service::message_file::open(given.path.empty() ? "-" : given.path, bounds);
  auto composed = tools::compose(given.draft);
  if (!composed) return composed.error();
  return service::message_file::of(*composed, bounds);
}

void print(const retrieval::recipient_outcome& o, bool json) {
  if (json) {
    tools::json_writer out;
    out.object().key("recipient").text(o.recipient.text());
    out.key("result").text(to_string(o.what)).key("text").text(o.text).end();
    tools::print("{}\n", out.str());
  } else {
    tools::print("{} {}{}{}\n", to_string(o.what), o.recipient.text(), o.text.empty() ? "" : " ",
                 printable(o.text));
  }
  std::fflush(stdout);
}

void print_note(std::string_view host, std::string_view text, bool json) {
  if (json) {
    tools::json_writer out;
    out.object().key("note").text(text).key("host").text(host).end();
    tools::print("{}\n", out.str());
  } else {
    tools::print("NOTE {}: {}\n", host.empty() ? "-" : host, printable(text));
  }
}

int exit_for(send_verdict what) {
  switch (what) {
    case send_verdict::delivered:
    case send_verdict::queued:
      return tools::exit_ok;
    case send_verdict::mixed:
      return tools::exit_mixed;
    case send_verdict::refused:
      return tools::exit_failed;
    case send_verdict::deferred:
      break;
  }
  return tools::exit_temporary;
}

void print_end(const retrieval::send_end& end, bool json) {
  if (!json) return;
  tools::json_writer out;
  out.object().key("verdict").text(to_string(end.what)).key("saved").text(end.saved).end();
  tools::print("{}\n", out.str());
}

void print(const retrieval::queued_message& m, bool json) {
  const std::string next = m.next ? m.next->text() : "-";
  if (json) {
    tools::json_writer out;
    out.object().key("id").text(m.id).key("recipient").text(m.recipient.text());
    out.key("since").text(m.since.text()).key("next").text(next).key("text").text(m.text).end();
    tools::print("{}\n", out.str());
  } else {
    tools::print("{} {} since {} next {}{}{}\n", m.id, m.recipient.text(), m.since.text(), next,
                 m.text.empty() ? "" : " ", printable(m.text));
  }
}

int show_queue(const options& given) {
  auto office = tools::open_office(given.office);
  if (!office) return tools::complain(program, office.error());
  const auto waiting = office->queue();
  if (!waiting) return tools::complain(program, waiting.error());
  for (const auto& m : *waiting) print(m, given.json);
  // All is known: how the connection ends changes nothing.
  (void)office->done();
  return tools::exit_ok;
}

int submit(options& given) {
  auto message = open_message(given);
  if (!message) return tools::complain(program, message.error());
  auto office = tools::open_office(given.office);
  if (!office) return tools::complain(program, office.error());
  const net::retrieval_client::sending told{
      [&](const retrieval::recipient_outcome& o) { print(o, given.json); },
      [&](std::string_view host, std::string_view text) { print_note(host, text, given.json); }};
  const auto end = office->send(given.send, message->header(), *message, told);
  if (!end) return tools::complain(program, end.error());
  print_end(*end, given.json);
  // The verdict is known: how the connection ends changes nothing.
  (void)office->done();
  return exit_for(end->what);
}

void add_options(CLI::App& app, options& given) {
  auto* file = app.add_option("MESSAGE", given.path,
                              "The message; standard input where it is - or left out");
  auto* from = tools::add_draft_options(app, given.draft)->excludes(file);
  auto* queue =
      app.add_flag("--queue", given.show_queue, "Say which of the user's messages wait to be sent")
          ->excludes(file)
          ->excludes(from);
  app.add_option("--save", given.send.save, "The folder that keeps a copy, for instance 'sent'")
      ->excludes(queue);
  const auto add_list = [&](const char* name, std::vector<std::string>& list, const char* help) {
    app.add_option(name, list, help)->allow_extra_args(false)->excludes(queue);
  };
  add_list("--answered", given.answered, "FOLDER/ID of a message to be marked answered");
  add_list("--forwarded", given.forwarded, "FOLDER/ID of a message to be marked forwarded");
  add_list("--part", given.parts,
           "N=FOLDER/ID/N: that part is there already and is not sent along");
  app.add_flag("--json", given.json, "Write JSON objects, one a line");
}

int run_with(options& given) {
  if (auto good = read_references(given); !good) return tools::complain(program, good.error());
  return given.show_queue ? show_queue(given) : submit(given);
}

}  // namespace

int main(int argc, char** argv) {
  options given;
  return tools::user_main(
      program, "Gives a message to the user's post office to be sent.", argc, argv,
      [&](CLI::App& app) { add_options(app, given); },
      [&](tools::office_settings office) {
        given.office = std::move(office);
        return run_with(given);
      });
}
