// Lists a folder of a mailbox on this machine and marks what was shown as seen.
//
//   read_mailbox MAILBOX [FOLDER]

#include <ima/mailbox/mailbox.hpp>

#include <iostream>
#include <string>
#include <vector>

namespace {

namespace mailbox = ima::mailbox;

ima::result<void> show(mailbox::mailbox& box, const std::string& folder,
                       const mailbox::entry& entry) {
  const auto stored = box.header(folder, entry.id);
  if (!stored) return stored.error();
  if (!*stored) return {};  // somebody deleted it just now
  const ima::header_block& header = (*stored)->header;
  std::cout << entry.id.substr(0, 8) << "  " << ima::printable(header.from().text());
  // Who sent it on somebody's behalf is always shown.
  if (const auto mailer = header.mailer()) std::cout << " via " << mailer->addr.text();
  std::cout << "  " << ima::printable(header.subject()) << "  (" << entry.size << " octets)\n";
  return {};
}

ima::result<void> list(mailbox::mailbox& box, const std::string& folder) {
  if (auto taken = box.take_in(); !taken) return taken.error();
  std::string token = "0";
  for (bool more = true; more;) {
    const auto page = box.changes(folder, token, 100);
    if (!page) return page.error();
    std::vector<std::string> shown;
    for (const mailbox::entry& entry : page->entries) {
      if (auto good = show(box, folder, entry); !good) return good;
      shown.push_back(entry.id);
    }
    const auto marked = box.set_flags(folder, shown, {.add = {"seen"}});
    if (!marked) return marked.error();
    token = page->token;
    more = page->more;
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3) return std::cerr << "usage: read_mailbox MAILBOX [FOLDER]\n", 64;
  auto box = mailbox::mailbox::open(mailbox::posix_file_system(), argv[1]);
  if (!box) return std::cerr << box.error().message() << '\n', 1;
  const auto good = list(*box, argc == 3 ? argv[2] : "inbox");
  if (!good) return std::cerr << good.error().message() << '\n', 1;
}
