// The operator's handle on mailboxes, users and the queue (docs/man/ima-admin.8.scd).

#include "arguments.hpp"
#include "commands.hpp"

int main(int argc, char** argv) {
  using namespace ima::tools;
  CLI::App app("Looks after mailboxes, users, certificates and the queue.", admin::program);
  app.require_subcommand(1);
  admin::action chosen;
  admin::add_certificate_commands(app, chosen);
  admin::add_mailbox_commands(app, chosen);
  admin::add_queue_commands(app, chosen);
  admin::add_user_commands(app, chosen);
  if (const auto status = parse_arguments(app, argc, argv)) return *status;
  return chosen();
}
