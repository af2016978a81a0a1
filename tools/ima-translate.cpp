// ima-translate: mail of the Internet to and from IMA messages (docs/man/ima-translate.1.scd).

#include "arguments.hpp"
#include "exit_codes.hpp"

#include <ima/service/message_file.hpp>
#include <ima/translate/mail_file.hpp>
#include <ima/translate/message_to_mime.hpp>
#include <ima/translate/mime_to_message.hpp>

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <string>
#include <system_error>

namespace {

using namespace ima;

constexpr const char* program = "ima-translate";

struct options {
  std::string from;
  std::string to;
  std::string in = "-";
  std::string out = "-";
};

limits unbounded_body() {
  limits bounds;
  bounds.body = UINT64_MAX;  // how much is welcome is the receiver's business
  return bounds;
}

result<void> write_out(octets piece) {
  while (!piece.empty()) {
    const ssize_t count = ::write(STDOUT_FILENO, piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0)
      return error{fault::temporary, "output", "", std::generic_category().message(errno)};
    piece.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

void print(std::span<const translate::remark> remarks) {
  for (const auto& r : remarks)
    fmt::print(stderr, "{}: {}{}{} [{}]\n", program, printable(r.place),
               r.place.empty() ? "" : ": ", printable(r.text), r.rule);
}

result<void> to_ima(const options& given) {
  auto mail = translate::mail_file::open(given.in);
  if (!mail) return mail.error();
  auto made = translate::mime_to_message::translate(*mail, mail->size(), unbounded_body());
  if (!made) return made.error();
  print(made->remarks());
  if (auto done = write_out(made->header().text()); !done) return done;
  return made->write_body(write_out);
}

result<void> to_eml(const options& given) {
  auto message = service::message_file::open(given.in, unbounded_body());
  if (!message) return message.error();
  auto made = translate::message_to_mime::translate(message->header(), *message, unbounded_body());
  if (!made) return made.error();
  print(made->remarks());
  return made->write(write_out);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Translates Internet mail to IMA messages and back.", program);
  options given;
  app.add_option("--from", given.from, "The format that is read")->required();
  app.add_option("--to", given.to, "The format that is written")->required();
  app.add_option("IN", given.in, "What is read; standard input where it is - or left out");
  app.add_option("OUT", given.out, "What is written; standard output where it is - or left out");
  if (const auto status = tools::parse_arguments(app, argc, argv)) return *status;
  std::signal(SIGPIPE, SIG_IGN);
  const auto done = given.from == "eml" ? to_ima(given) : to_eml(given);
  return done ? tools::exit_ok : tools::complain(program, done.error());
}
