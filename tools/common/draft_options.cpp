#include "draft_options.hpp"

#include <ima/date.hpp>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <utility>

namespace ima::tools {
namespace {

using service::draft;

bool has_field(const draft& message, std::string_view name) {
  return std::any_of(message.fields.begin(), message.fields.end(),
                     [&](const auto& field) { return field.first == name; });
}

result<void> add_headers(draft& message, const std::vector<std::string>& headers) {
  for (const std::string& header : headers) {
    const auto colon = header.find(": ");
    if (colon == std::string::npos || colon == 0) {
      return error{fault::caller, "header-option", "--header",
                   "'" + header + "' is not of the form 'name: value'"};
    }
    const std::string name = header.substr(0, colon);
    if (name == "part" || name == "ima") {
      return error{fault::caller, "header-option", "--header", name + " is made by itself"};
    }
    message.fields.emplace_back(name, header.substr(colon + 2));
  }
  return {};
}

result<void> add_recipients(draft& message, std::string_view name,
                            const std::vector<std::string>& addresses) {
  for (const std::string& text : addresses) {
    auto recipient = service::address_from_person(text);
    if (!recipient) {
      error problem = std::move(recipient).error();
      problem.place = "--" + std::string(name);
      problem.kind = fault::caller;
      return problem;
    }
    message.fields.emplace_back(name, recipient->text());
  }
  return {};
}

std::string now() {
  const auto at = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  return timestamp{at, {}}.text();
}

// Who and when, as far as --header did not say it.
result<void> add_origin(draft& message, const draft_options& given, const draft& extra) {
  const auto from = service::address_from_person(given.from);
  if (!from) return error{fault::caller, from.error().rule, "--from", from.error().text};
  if (!has_field(extra, "id")) {
    auto id = service::new_message_id(from->addr.host());
    if (!id) return std::move(id).error();
    message.fields.emplace_back("id", *id);
  }
  if (!has_field(extra, "date")) message.fields.emplace_back("date", now());
  message.fields.emplace_back("from", from->text());
  return {};
}

void add_parts(draft& message, const draft_options& given) {
  if (!given.text_file.empty()) {
    message.parts.push_back({given.text_file, "text/plain", "", ""});
  }
  for (const std::string& file : given.attachments) {
    const std::string name = file == "-" ? "" : std::filesystem::path(file).filename().string();
    message.parts.push_back({file, "", "attachment", service::name_from_file(name)});
  }
}

result<draft> make_draft(const draft_options& given) {
  draft message;
  draft extra;
  if (auto done = add_headers(extra, given.headers); !done) return std::move(done).error();
  if (auto done = add_origin(message, given, extra); !done) return std::move(done).error();
  for (const auto& [name, list] :
       {std::pair{"to", &given.to}, std::pair{"cc", &given.cc}, std::pair{"bcc", &given.bcc}}) {
    if (auto done = add_recipients(message, name, *list); !done) return std::move(done).error();
  }
  if (!given.subject.empty()) message.fields.emplace_back("subject", given.subject);
  message.fields.insert(message.fields.end(), extra.fields.begin(), extra.fields.end());
  add_parts(message, given);
  return message;
}

}  // namespace

CLI::Option* add_draft_options(CLI::App& app, draft_options& given) {
  CLI::Option* from = app.add_option("--from", given.from, "Who writes: 'Alice <alice@a.example>'");
  const auto add_list = [&](const char* name, std::vector<std::string>& list, const char* help) {
    app.add_option(name, list, help)->allow_extra_args(false)->needs(from);
  };
  add_list("--to", given.to, "A recipient; may be repeated");
  add_list("--cc", given.cc, "A recipient of a copy; may be repeated");
  add_list("--bcc", given.bcc, "A recipient that the others do not see; may be repeated");
  app.add_option("--subject", given.subject, "The subject")->needs(from);
  // What a shell makes of a variable that is not set must not pass for "no text".
  const CLI::Validator named(
      [](const std::string& path) { return path.empty() ? "names no file" : ""; }, "");
  app.add_option("--text", given.text_file, "The text; '-' is standard input")
      ->type_name("FILE")
      ->check(named)
      ->needs(from);
  app.add_option("--attach", given.attachments, "A file to attach; may be repeated")
      ->allow_extra_args(false)
      ->type_name("FILE")
      ->check(named)
      ->needs(from);
  add_list("--header", given.headers, "Another header, 'name: value'; may be repeated");
  return from;
}

result<service::composition> compose(const draft_options& given) {
  auto message = make_draft(given);
  if (!message) return std::move(message).error();
  limits bounds;
  bounds.body = UINT64_MAX;  // how much is welcome is the receiver's business
  return service::composition::prepare(*message, bounds);
}

}  // namespace ima::tools
