// ima-translate: mail of the Internet to and from IMA messages (docs/man/ima-translate.1.scd).

#include "arguments.hpp"
#include "exit_codes.hpp"
#include "index_path.hpp"
#include "output.hpp"

#include <ima/mailbox/mailbox.hpp>
#include <ima/service/message_file.hpp>
#include <ima/translate/maildir_mirror.hpp>
#include <ima/translate/submission.hpp>
#include <ima/translate/transfer.hpp>

#include <sysexits.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>

namespace {

using namespace ima;

constexpr const char* program = "ima-translate";

struct options {
  std::string from;
  std::string to;
  std::string in = "-";
  std::string out = "-";
  std::string send;
  std::string sendmail = "/usr/sbin/sendmail";
  bool mirror = false;
};

limits unbounded_body() {
  limits bounds;
  bounds.body = UINT64_MAX;  // how much is welcome is the receiver's business
  return bounds;
}

// Reports messages one line each, and on a terminal how far it is.
class progress {
 public:
  void message(const translate::transferred& one) {
    ++count_;
    already_ += one.already ? 1 : 0;
    left_out_ += one.left_out ? 1 : 0;
    for (const auto& remark : one.remarks) print(one.place, remark);
    if (one.problem) {
      ++failed_;
      clear();
      tools::print_error("{}: {}: {}\n", program, printable(one.place), one.problem->message());
    }
    if (terminal_) tools::print_error("\r{} messages", count_);
  }
  void print(const std::string& place, const translate::remark& remark) {
    clear();
    std::string where = place;
    if (!where.empty() && !remark.place.empty()) where += ": ";
    where += remark.place;
    tools::print_error("{}: {}{}{} [{}]\n", program, printable(where), where.empty() ? "" : ": ",
                       printable(remark.text), remark.rule);
  }
  // Of many messages a last line says how it went.
  int finish(bool many) {
    clear();
    if (many)
      tools::print_error("{}: {} translated, {} there already, {} failed{}\n", program,
                         count_ - already_ - failed_ - left_out_, already_, failed_,
                         left_out_ == 0 ? "" : fmt::format(", {} left out", left_out_));
    if (failed_ == 0) return tools::exit_ok;
    return failed_ == count_ ? tools::exit_failed : tools::exit_mixed;
  }

 private:
  void clear() const {
    if (terminal_ && count_ > 0) tools::print_error("\r\x1b[K");
  }
  bool terminal_ = ::isatty(STDERR_FILENO) == 1;
  std::uint64_t count_ = 0;
  std::uint64_t already_ = 0;
  std::uint64_t left_out_ = 0;
  std::uint64_t failed_ = 0;
};

translate::transfer_options transfer_of(const options& given) {
  translate::transfer_options what;
  what.from = *translate::format_of(given.from);
  what.to = *translate::format_of(given.to);
  what.in = given.in;
  what.out = given.out;
  what.bounds = unbounded_body();
  if (what.from == translate::format::mailbox) what.in_box = tools::options_for(given.in);
  if (what.to == translate::format::mailbox) what.out_box = tools::options_for(given.out);
  return what;
}

int translate_all(const options& given) {
  const translate::transfer_options what = transfer_of(given);
  progress shown;
  std::optional<error> only;  // the problem of a single message is the program's
  const bool many = what.from != translate::format::eml && what.from != translate::format::ima;
  const auto done =
      translate::transfer(what, [&](const translate::transferred& one) -> result<void> {
        if (!many) only = one.problem;
        shown.message(one);
        return {};
      });
  const int code = shown.finish(many);
  if (!done) return tools::complain(program, done.error());
  return only ? tools::exit_code_of(*only) : code;
}

result<int> send(const options& given) {
  auto message = service::message_file::open(given.in, unbounded_body());
  if (!message) return message.error();
  std::vector<translate::remark> remarks;
  auto status = translate::send_as_mail(
      {given.sendmail}, message->header(), *message, given.send,
      [](std::string_view line) { tools::print("{}\n", printable(line)); }, unbounded_body(),
      &remarks);
  for (const translate::remark& one : remarks)
    if (one.rule != "envelope") progress().print("", one);  // the envelope is this one address
  return status;
}

// The exit code of sendmail as a routing table's entry understands it: what is not about the mail
// or its recipient is a fault of sendmail's own, and can be mended.
int send_one(const options& given) {
  const auto status = send(given);
  if (!status && status.error().kind == fault::refused) {
    tools::print("{}\n", status.error().message());
    return tools::exit_failed;
  }
  if (!status) return tools::complain(program, status.error());
  if (*status == 0) return tools::exit_ok;
  const bool for_good = *status >= EX_DATAERR && *status <= EX_UNAVAILABLE;
  return for_good ? tools::exit_failed : tools::exit_temporary;
}

result<translate::mirror_changes> update_mirror(const options& given, progress& shown) {
  auto& disk = mailbox::posix_file_system();
  const auto there = disk.status(given.in);
  if (there && !*there) return error{fault::caller, "no-input", given.in, "no such mailbox"};
  auto box = mailbox::mailbox::open(disk, given.in, tools::options_for(given.in));
  if (!box) return box.error();
  return translate::mirror_to_maildir(
      *box, disk, given.out,
      [&](const translate::transferred& one) -> result<void> {
        shown.message(one);
        return {};
      },
      unbounded_body());
}

int mirror(const options& given) {
  progress shown;
  const auto done = update_mirror(given, shown);
  shown.finish(false);
  if (!done) return tools::complain(program, done.error());
  tools::print("written {} removed {} flags-out {} flags-in {}\n", done->written, done->removed,
               done->flags_out, done->flags_in);
  return done->left_out == 0 ? tools::exit_ok : tools::exit_mixed;
}

bool is_directory(const std::string& format) { return format == "maildir" || format == "mailbox"; }

bool names_directories(const options& given) {
  return !(is_directory(given.from) && given.in == "-") &&
         !(is_directory(given.to) && given.out == "-");
}

std::string check_format(const std::string& name) {
  return translate::format_of(name) ? "" : "is none of eml, mbox, maildir, ima, mailbox";
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Translates Internet mail to IMA messages and back.", program);
  options given;
  const CLI::Validator known(check_format, "");
  app.add_option("--from", given.from, "The format that is read")
      ->required()
      ->type_name("FORMAT")
      ->check(known);
  app.add_option("--to", given.to, "The format that is written")
      ->required()
      ->type_name("FORMAT")
      ->check(known);
  app.add_option("IN", given.in, "What is read; standard input where it is - or left out");
  app.add_option("OUT", given.out, "What is written; standard output where it is - or left out");
  app.add_flag("--mirror", given.mirror,
               "Keep the Maildir OUT as the mailbox IN is; flags go both ways");
  const auto* const send =
      app.add_option("--send", given.send, "Give the mail to sendmail, for this address");
  app.add_option("--sendmail", given.sendmail, "The program for --send")->type_name("PROGRAM");
  if (const auto status = tools::parse_arguments(app, argc, argv)) return *status;
  std::signal(SIGPIPE, SIG_IGN);
  if (given.mirror && (given.from != "mailbox" || given.to != "maildir")) {
    tools::print_error("{}: --mirror is for --from mailbox --to maildir\n", program);
    return tools::exit_usage;
  }
  if (send->count() > 0 && (given.send.empty() || given.from != "ima" || given.to != "eml")) {
    tools::print_error("{}: --send is for an address, --from ima and --to eml\n", program);
    return tools::exit_usage;
  }
  if (!names_directories(given)) {
    tools::print_error("{}: a Maildir and a mailbox are directories, not streams\n", program);
    return tools::exit_usage;
  }
  if (given.mirror) return mirror(given);
  return given.send.empty() ? translate_all(given) : send_one(given);
}
