// Puts one message into one mailbox.

#include "arguments.hpp"
#include "exit_codes.hpp"

#include <ima/mailbox/file_system.hpp>
#include <ima/service/incoming.hpp>
#include <ima/service/message_file.hpp>

#include <CLI/CLI.hpp>

#include <string>

int main(int argc, char** argv) {
  using namespace ima;
  constexpr const char* program = "server-give-recipient";
  CLI::App app("Puts an IMA message into a mailbox.", program);
  std::string box;
  std::string path = "-";
  std::string who;
  app.add_option("INBOX", box, "The mailbox")->required();
  app.add_option("MESSAGE", path, "The message; standard input where it is - or left out");
  app.add_option("ADDRESS", who, "The recipient; by default the mailbox is for all");
  if (const auto status = tools::parse_arguments(app, argc, argv)) return *status;
  auto message = service::message_file::open(path, service::limits_once_accepted());
  if (!message) return tools::complain(program, message.error());
  auto result = service::give_recipient(*message, mailbox::posix_file_system(), box, who,
                                        service::peer_from_environment());
  if (!result) return tools::complain(program, result.error());
  return tools::exit_ok;
}
