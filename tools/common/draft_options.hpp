#pragma once

#include <ima/error.hpp>
#include <ima/service/compose.hpp>

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

namespace ima::tools {

/// A message as the command line describes it.
struct draft_options {
  std::string from;
  std::vector<std::string> to;
  std::vector<std::string> cc;
  std::vector<std::string> bcc;
  std::vector<std::string> headers;
  std::string subject;
  std::string text_file;
  std::vector<std::string> attachments;
};

/// Adds `--from`, `--to`, `--cc`, `--bcc`, `--subject`, `--text`, `--attach` and `--header`;
/// returns
/// `--from`, which all others need: without it there is no message. `given` outlives `app`.
CLI::Option* add_draft_options(CLI::App& app, draft_options& given);

/// Reads every file once. Errors: those of service::composition and service::address_from_person;
/// fault::caller `header-option`.
result<service::composition> compose(const draft_options& given);

}  // namespace ima::tools
