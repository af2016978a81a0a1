// Shows a mailbox to a person at a terminal (docs/man/ima-read.1.scd).

#include "arguments.hpp"
#include "exit_codes.hpp"
#include "index_path.hpp"
#include "output.hpp"

#include <ima/mailbox/delivery.hpp>
#include <ima/mailbox/file_system.hpp>
#include <ima/mailbox/mailbox.hpp>
#include <ima/mailbox/names.hpp>
#include <ima/mailbox/save_part.hpp>
#include <ima/terminal_text.hpp>

#include <algorithm>
#include <csignal>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace ima;

constexpr const char* program = "ima-read";
constexpr std::size_t piece_size = 64 * 1024;
constexpr std::size_t page = 1000;

struct options {
  std::string directory;
  std::string folder;
  std::string id;
  std::string save;  // a directory
  bool peek = false;
};

bool contains(const std::vector<std::string>& list, std::string_view word) {
  return std::ranges::find(list, word) != list.end();
}

// Who sent it, in whose name, and which domain was proved (docs/identity.md).
std::string sender_of(const header_block& header) {
  std::string text = printable(header.from().text());
  if (const auto mailer = header.mailer()) text += " via " + printable(mailer->addr.text());
  return text;
}

result<void> show_folders(mailbox::mailbox& mail) {
  const auto folders = mail.folders();
  if (!folders) return folders.error();
  for (const auto& f : *folders)
    tools::print("{:>6} {:>6} new  {}\n", f.messages, f.unseen, printable(f.name));
  return {};
}

result<void> show_line(mailbox::mailbox& mail, const std::string& folder,
                       const mailbox::entry& entry) {
  const auto stored = mail.header(folder, entry.id);
  if (!stored) return stored.error();
  if (!*stored) return {};  // it went meanwhile
  const header_block& header = (*stored)->header;
  const char* mark = contains(entry.flags, "seen") ? " " : "N";
  const std::string date = header.date() ? header.date()->text() : std::string("-");
  tools::print("{} {} {:<25} {:<40} {}\n", mark, entry.id.substr(0, 12), date, sender_of(header),
               printable(header.subject()));
  return {};
}

// Oldest first, so that the newest is what stays on the screen.
result<void> show_list(mailbox::mailbox& mail, const std::string& folder) {
  std::string token = "0";
  for (bool more = true; more;) {
    const auto got = mail.changes(folder, token, page);
    if (!got) return got.error();
    for (const auto& entry : got->entries)
      if (!entry.gone)
        if (auto good = show_line(mail, folder, entry); !good) return good;
    token = got->token;
    more = got->more;
  }
  return {};
}

// The message with this id, or the only one whose id begins so.
result<mailbox::entry> find(mailbox::mailbox& mail, const options& given) {
  const auto exact = mail.find(given.folder, given.id);
  if (!exact) return exact.error();
  if (*exact) return **exact;
  std::map<std::string, mailbox::entry> found;  // by id: one that changes meanwhile comes again
  std::string token = "0";
  for (bool more = true; more;) {
    auto got = mail.changes(given.folder, token, page);
    if (!got) return got.error();
    for (auto& entry : got->entries)
      if (!entry.gone && entry.id.starts_with(given.id)) found.insert_or_assign(entry.id, entry);
    token = got->token;
    more = got->more;
  }
  if (found.empty()) return error{fault::caller, "no-message", given.id, "no such message"};
  if (found.size() > 1)
    return error{fault::caller, "no-message", given.id, "several messages begin so"};
  return found.begin()->second;
}

void show_header(const mailbox::stored_header& stored) {
  const header_block& header = stored.header;
  const auto domain = mailbox::record_value(stored.record, "verified-domain");
  tools::print("From: {}\n", sender_of(header));
  tools::print("Verified domain: {}\n", domain.empty() ? "none" : printable(domain));
  for (const auto& [name, title] :
       {std::pair{"to", "To"}, std::pair{"cc", "Cc"}, std::pair{"bcc", "Bcc"},
        std::pair{"reply-to", "Reply to"}, std::pair{"date", "Date"}})
    for (const std::string_view value : header.all(name))
      tools::print("{}: {}\n", title, printable(value));
  tools::print("Subject: {}\n", printable(header.subject()));
}

result<void> show_text(const mailbox::part_source& part, const std::string& id) {
  std::vector<char> buffer(piece_size);
  terminal_text text;
  for (std::uint64_t at = 0; at < part.size();) {
    const auto count = part.read_at(at, buffer);
    if (!count) return count.error();
    if (*count == 0) return error{fault::temporary, "message-damaged", id, "a part is too short"};
    tools::print("{}", text.next(octets(buffer.data(), *count)));
    at += *count;
  }
  tools::print("{}", text.end());
  return {};
}

bool is_text(const part_info& part) {
  return part.media_type == "text/plain" && part.role != "attachment";
}

result<void> show_message(mailbox::mailbox& mail, const options& given, const std::string& id,
                          const header_block& header) {
  for (std::size_t i = 0; i < header.parts().size(); ++i) {
    const part_info& part = header.parts()[i];
    if (is_text(part)) {
      tools::print("\n");
      const auto source = mail.open_part(given.folder, id, i + 1);
      if (!source) return source.error();
      if (auto good = show_text(**source, id); !good) return good;
    } else {
      tools::print("\n[part {}: {}, {} octets, {}]\n", i + 1, printable(part.media_type), part.size,
                   part.name.empty() ? "no name" : printable(part.name));
    }
  }
  return {};
}

result<void> save_part(mailbox::mailbox& mail, const options& given, const std::string& id,
                       std::size_t number, const part_info& part) {
  const auto source = mail.open_part(given.folder, id, number);
  if (!source) return source.error();
  const std::string name = mailbox::attachment_name(number, part.name);
  auto good = mailbox::save_part(**source, mailbox::posix_file_system(), given.save, name);
  if (good) tools::print("{}\n", printable(given.save + "/" + name));
  return good;
}

result<void> save(mailbox::mailbox& mail, const options& given, const std::string& id,
                  const header_block& header) {
  for (std::size_t i = 0; i < header.parts().size(); ++i)
    if (!is_text(header.parts()[i]))
      if (auto good = save_part(mail, given, id, i + 1, header.parts()[i]); !good) return good;
  return {};
}

result<void> read_message(mailbox::mailbox& mail, const options& given) {
  const auto entry = find(mail, given);
  if (!entry) return entry.error();
  const auto stored = mail.header(given.folder, entry->id);
  if (!stored) return stored.error();
  if (!*stored) return error{fault::caller, "no-message", given.id, "it just went"};
  if (!given.save.empty()) return save(mail, given, entry->id, (*stored)->header);
  show_header(**stored);
  if (auto good = show_message(mail, given, entry->id, (*stored)->header); !good) return good;
  if (given.peek || contains(entry->flags, "seen")) return {};
  const auto marked = mail.set_flags(given.folder, std::span(&entry->id, 1), {{"seen"}, {}, {}});
  return marked ? result<void>() : marked.error();
}

result<void> read(const options& given) {
  auto mail = mailbox::mailbox::open(mailbox::posix_file_system(), given.directory,
                                     tools::options_for(given.directory));
  if (!mail) return mail.error();
  if (auto taken = mail->take_in(); !taken) return taken.error();
  if (given.folder.empty()) return show_folders(*mail);
  return given.id.empty() ? show_list(*mail, given.folder) : read_message(*mail, given);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Shows a mailbox: its folders, a folder's messages, or a message.", program);
  options given;
  app.add_option("DIRECTORY", given.directory, "The mailbox, for instance a copy by fetch-mail")
      ->required();
  auto* folder = app.add_option("FOLDER", given.folder, "A folder, for instance inbox");
  auto* id = app.add_option("ID", given.id, "A message: its id, or how it begins")->needs(folder);
  app.add_option("--save", given.save, "Save the message's attachments in this directory")
      ->needs(id);
  app.add_flag("--peek", given.peek, "Do not mark the message as seen");
  if (const auto status = tools::parse_arguments(app, argc, argv)) return *status;
  std::signal(SIGPIPE, SIG_DFL);
  const auto good = read(given);
  return good ? tools::exit_ok : tools::complain(program, good.error());
}
