// ima-admin mailbox …

#include "commands.hpp"
#include "exit_codes.hpp"

#include <ima/mailbox/file_system.hpp>
#include <ima/mailbox/mailbox.hpp>

#include <memory>
#include <string>

namespace ima::tools::admin {

void add_mailbox_commands(CLI::App& app, action& chosen) {
  CLI::App* subject = app.add_subcommand("mailbox", "Mailboxes")->require_subcommand(1);
  CLI::App* create = subject->add_subcommand("create", "Make an empty mailbox");
  const auto path = std::make_shared<std::string>();
  create->add_option("PATH", *path, "Its directory")->required();
  create->callback([path, &chosen] {
    chosen = [path]() -> int {
      const auto made = mailbox::mailbox::create(mailbox::posix_file_system(), *path);
      return made ? exit_ok : complain(program, made.error());
    };
  });
}

}  // namespace ima::tools::admin
