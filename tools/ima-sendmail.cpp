// ima-sendmail: takes mail as sendmail(8) does and sends it as an IMA message
// (docs/man/ima-sendmail.1.scd).

#include "arguments.hpp"
#include "config.hpp"
#include "exit_codes.hpp"
#include "output.hpp"

#include <ima/service/compose.hpp>
#include <ima/translate/mail_file.hpp>
#include <ima/translate/outgoing_mail.hpp>
#include <ima/translate/submission.hpp>

#include <fmt/format.h>
#include <pwd.h>
#include <sysexits.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

namespace {

using namespace ima;

constexpr const char* program = "ima-sendmail";

struct settings {
  std::vector<std::string> command;
  translate::submission_rules rules;
  std::uint64_t max_size = limits{}.body;
};

// Exit codes here are those of sysexits.h, which callers of sendmail know.
int complain(const error& problem) {
  tools::print_error("{}: {}\n", program, problem.message());
  if (problem.rule == "recipient-address") return EX_NOUSER;
  if (problem.rule == "mail-loop") return EX_UNAVAILABLE;
  return tools::exit_code_of(problem);
}

// The environment's value, or nothing where it is not set or empty.
std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : value;
}

std::string settings_file(const translate::sendmail_request& request) {
  if (!request.settings.empty()) return request.settings;
  if (auto named = environment("IMA_SENDMAIL_CONFIG"); !named.empty()) return named;
  const std::string home = environment("HOME");
  const std::string own = home + "/.config/ima/ima-sendmail.toml";
  const bool there = !home.empty() && ::access(own.c_str(), F_OK) == 0;
  return there ? own : "/etc/ima/ima-sendmail.toml";
}

// submit-mail as it lies beside this program: cron's PATH, for one, may not have it.
std::vector<std::string> submission_command(const std::string& office, const std::string& save) {
  std::error_code unknown;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", unknown);
  std::vector<std::string> words{self.parent_path() / "submit-mail", "--config", office};
  if (!save.empty()) words.insert(words.end(), {"--save", save});
  return words;
}

void read_command(tools::config_table& config, settings& s) {
  std::filesystem::path office;
  std::string save;
  config.read("command", s.command);
  config.read("post-office", office);
  config.read("save", save);
  if (office.empty()) {
    config.require("command");
    if (s.command.empty()) config.reject("command", "names no program");
    if (!save.empty()) config.reject("save", "is for a post-office");
    return;
  }
  if (!s.command.empty()) config.reject("post-office", "does not go with command");
  s.command = submission_command(office.string(), save);
}

void read_author(tools::config_table& config, settings& s) {
  config.read("author", s.rules.author);
  config.read("domain", s.rules.host);
  if (s.rules.author.empty()) config.require("domain");
  if (!s.rules.author.empty() && !service::address_from_person(s.rules.author))
    config.reject("author", "is no address");
  if (!s.rules.host.empty()) s.rules.domains.push_back(s.rules.host);
}

std::string caller() {
  const passwd* user = ::getpwuid(::getuid());
  return user == nullptr ? "nobody" : user->pw_name;
}

result<settings> read_settings(const std::string& file) {
  settings s;
  auto good = tools::read_config(file, [&](tools::config_table& config) {
    read_command(config, s);
    config.read("mailer", s.rules.mailer);
    config.read("domains", s.rules.domains);
    config.read_octets("max-size", s.max_size);
    read_author(config, s);
  });
  if (!good) return good.error();
  if (s.rules.author.empty()) s.rules.author = caller() + "@" + s.rules.host;
  return s;
}

// What a command's exit code means to a caller of sendmail. Nobody's failure is final while
// somebody else's is for now.
int exit_for(int status, bool deferred) {
  switch (status) {
    case 0:
      return EX_OK;
    case tools::exit_failed:
    case tools::exit_mixed:
      return deferred ? EX_TEMPFAIL : EX_UNAVAILABLE;
    case EX_USAGE:
      return EX_CONFIG;
    case EX_DATAERR:
    case EX_SOFTWARE:
    case EX_CONFIG:
      return status;
    default:
      return EX_TEMPFAIL;
  }
}

timestamp now() {
  return {std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()), {}};
}

struct answer {
  int status = 0;
  bool deferred = false;
  bool in_progress = false;  // a host works on the same message, for somebody else
};

result<answer> submit_once(const settings& s, const header_block& header,
                           translate::mime_to_message& mail) {
  answer out;
  const auto status = translate::submit(s.command, header, mail, [&](std::string_view line) {
    out.deferred = out.deferred || line.starts_with("DEFER ");
    out.in_progress =
        out.in_progress || (line.starts_with("DEFER ") && line.ends_with(" in-progress"));
    tools::print_error("{}\n", printable(line));
  });
  if (!status) return status.error();
  out.status = *status;
  return out;
}

// A mail system with a command for each recipient sends the same message several times at once, and
// a host takes one after the other.
result<answer> submit(const settings& s, const header_block& header,
                      translate::mime_to_message& mail) {
  constexpr std::chrono::seconds longest(16);
  for (std::chrono::seconds pause(1);; pause *= 2) {
    auto made = submit_once(s, header, mail);
    if (!made || !made->in_progress || pause > longest) return made;
    std::this_thread::sleep_for(pause);
  }
}

// The exit code.
result<int> send(const translate::sendmail_request& request, const settings& s) {
  limits bounds;
  bounds.body = s.max_size;
  auto given = translate::mail_file::open("-", request.dot_ends);
  if (!given) return given.error();
  auto mail = translate::outgoing_mail::read(*given, given->size());
  if (!mail) return mail.error();
  limits translated = bounds;
  translated.header_block /= 2;  // the rest is for recipients and what else is added
  auto made = translate::mime_to_message::translate(*mail, mail->size(), translated);
  if (!made) return made.error();
  const auto header =
      translate::submission_header(made->header(), *mail, request, s.rules, now(), bounds);
  if (!header) return header.error();
  const auto answered = submit(s, *header, *made);
  if (!answered) return answered.error();
  for (const translate::remark& one : made->remarks())
    tools::print_error("{}: {}{}{} [{}]\n", program, printable(one.place),
                       one.place.empty() ? "" : ": ", printable(one.text), one.rule);
  return exit_for(answered->status, answered->deferred);
}

constexpr const char* usage =
    "Usage: ima-sendmail [-t] [-i] [-f SENDER] [-F NAME] [-C FILE] [--] [RECIPIENT]...\n"
    "Sends the mail on standard input as an IMA message. Other options of sendmail are\n"
    "accepted where they change nothing; see ima-sendmail(1).\n";

}  // namespace

int main(int argc, char** argv) {
  tools::guard_standard_streams();
  std::signal(SIGPIPE, SIG_IGN);
  const auto request = translate::read_sendmail_arguments({argv + 1, argv + argc});
  if (!request) return complain(request.error());
  if (request->help) return tools::print("{}", usage), EX_OK;
  if (request->version) return tools::print("{} (libima) {}\n", program, tools::version()), EX_OK;
  const auto s = read_settings(settings_file(*request));
  if (!s) return complain(s.error());
  const auto status = send(*request, *s);
  return status ? *status : complain(status.error());
}
