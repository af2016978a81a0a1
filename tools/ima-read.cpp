// Shows a mailbox to a person at a terminal (docs/man/ima-read.1.scd).

#include "arguments.hpp"
#include "exit_codes.hpp"
#include "index_path.hpp"
#include "output.hpp"

#include <ima/html_text.hpp>
#include <ima/mailbox/delivery.hpp>
#include <ima/mailbox/file_system.hpp>
#include <ima/mailbox/mailbox.hpp>
#include <ima/mailbox/names.hpp>
#include <ima/mailbox/save_part.hpp>
#include <ima/terminal_text.hpp>

#include <algorithm>
#include <csignal>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace ima;

constexpr const char* program = "ima-read";
constexpr std::size_t piece_size = 64 * 1024;
constexpr std::size_t page = 1000;
constexpr std::size_t short_id = 12;        // digits of an id
constexpr std::size_t longest_shown = 120;  // octets of a text in a list

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
  std::string text = printable_name(header.from().text());
  if (const auto mailer = header.mailer()) text += " via " + printable_name(mailer->addr.text());
  return text;
}

result<void> show_folders(mailbox::mailbox& mail) {
  const auto folders = mail.folders();
  if (!folders) return folders.error();
  for (const auto& f : *folders)
    tools::print("{:>6} {:>6} new  {}\n", f.messages, f.unseen, printable(f.name));
  return {};
}

// One message's fault, which keeps no other out.
bool is_of_message(const error& why) {
  return contains({"message-damaged", "file-missing", "file-unreadable"}, why.rule);
}

// A stranger's long line shall not fill the screen.
std::string shortened(std::string text) {
  if (text.size() <= longest_shown) return text;
  std::size_t end = longest_shown;
  while ((static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U) --end;
  return text.substr(0, end) + "…";
}

// Oldest first, so that the newest is what stays on the screen. A search gives the newest first, by
// when they came into this mailbox, which decides where they arrived in the same second.
result<std::vector<mailbox::entry>> all_of(mailbox::mailbox& mail, const std::string& folder) {
  std::vector<mailbox::entry> all;
  std::string from;
  do {
    auto got = mail.search(folder, {}, from, page);
    if (!got) return got.error();
    for (auto& hit : got->hits) all.push_back(std::move(hit.message));
    from = got->next;
  } while (!from.empty());
  std::ranges::reverse(all);
  std::ranges::stable_sort(all, {}, &mailbox::entry::arrived);
  return all;
}

// Nothing where it went meanwhile. Its id is the digest of its header block.
result<std::optional<mailbox::stored_header>> read_header(mailbox::mailbox& mail,
                                                          const std::string& folder,
                                                          const std::string& id) {
  auto stored = mail.header(folder, id);
  if (!stored || !*stored || id.starts_with((*stored)->header.id_digest().hex())) return stored;
  return error{fault::temporary, "message-damaged", id, "its header block is another"};
}

void show_line(const mailbox::entry& entry, const header_block& header) {
  const char* mark = contains(entry.flags, "seen") ? " " : "N";
  const std::string date = header.date() ? header.date()->text() : std::string("-");
  tools::print("{} {} {:<25} {:<40} {}\n", mark, entry.id.substr(0, short_id), date,
               shortened(sender_of(header)), shortened(printable(header.subject())));
}

// The message with this id, or the only one whose id begins so.
result<mailbox::entry> find(mailbox::mailbox& mail, const options& given) {
  const auto exact = mail.find(given.folder, given.id);
  if (!exact) return exact.error();
  if (*exact) return **exact;
  auto all = all_of(mail, given.folder);
  if (!all) return all.error();
  std::erase_if(*all, [&](const auto& entry) { return !entry.id.starts_with(given.id); });
  if (all->empty()) return error{fault::caller, "no-message", given.id, "no such message"};
  if (all->size() > 1)
    return error{fault::caller, "no-message", given.id, "several messages begin so"};
  return std::move(all->front());
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

// What a person reads of a part: of HTML the text, of any other text all.
result<void> show_text(const mailbox::part_source& part, bool is_html) {
  std::vector<char> buffer(piece_size);
  terminal_text text;
  html_text html;
  for (std::uint64_t at = 0; at < part.size();) {
    const auto count = part.read_at(at, buffer);
    if (!count) return count.error();
    if (*count == 0) return error{fault::temporary, "message-damaged", "", "a part is too short"};
    const octets piece(buffer.data(), *count);
    tools::print("{}", is_html ? text.next(html.next(piece)) : text.next(piece));
    at += *count;
  }
  if (is_html) tools::print("{}", text.next(html.end()));
  tools::print("{}", text.end());
  return {};
}

bool is_html(const part_info& part) { return part.media_type == "text/html"; }

bool is_text(const part_info& part) {
  return part.media_type.starts_with("text/") && part.role != "attachment" && part.name.empty();
}

// Of several forms of the same text the first one is enough.
bool is_shown(const header_block& header, const part_info& part) {
  if (!is_text(part) || part.role != "alternative") return is_text(part);
  const auto parts = header.parts();
  return std::ranges::none_of(
      parts, [](const auto& other) { return is_text(other) && other.role != "alternative"; });
}

// The message that was asked for. What one part cannot be had for keeps no other out.
class reading {
 public:
  reading(mailbox::mailbox& mail, const options& given, std::string id, const header_block& header)
      : mail_(mail), given_(given), id_(std::move(id)), header_(header) {}

  result<void> show() {
    for (std::size_t i = 0; i < header_.parts().size(); ++i)
      if (auto good = show_part(i); !good) return good;
    return tools::all_but(failed_);
  }

  // All but what is shown word for word.
  result<void> save() {
    for (std::size_t i = 0; i < header_.parts().size(); ++i) {
      const part_info& part = header_.parts()[i];
      if (is_shown(header_, part) && !is_html(part)) continue;
      auto good = save_part(i);
      if (good) continue;
      if (!is_of_message(good.error()) && good.error().rule != "file-exists") return good;
      tools::print_error("{}: part {}: {}\n", program, i + 1, good.error().message());
      ++failed_;
    }
    return tools::all_but(failed_);
  }

 private:
  // Nothing of a text is shown before all of it is known to be what was sent.
  result<void> show_part(std::size_t i) {
    const part_info& part = header_.parts()[i];
    tools::print("\n");
    if (!is_shown(header_, part)) {
      describe(i, "");
      return {};
    }
    const auto source = mail_.open_part(given_.folder, id_, i + 1);
    auto good = source ? mailbox::verify_part(**source, part) : source.error();
    if (good) return show_text(**source, is_html(part));
    if (!is_of_message(good.error())) return good;
    describe(i, ": " + good.error().message());
    ++failed_;
    return {};
  }

  void describe(std::size_t i, std::string_view more) const {
    const part_info& part = header_.parts()[i];
    tools::print("[part {}: {}, {} octets, {}{}]\n", i + 1, printable(part.media_type), part.size,
                 part.name.empty() ? "no name" : printable_name(part.name), more);
  }

  result<void> save_part(std::size_t i) {
    const part_info& part = header_.parts()[i];
    const auto source = mail_.open_part(given_.folder, id_, i + 1);
    if (!source) return source.error();
    const std::string name = mailbox::attachment_name(i + 1, part.name);
    auto good = mailbox::save_part(**source, part, mailbox::posix_file_system(), given_.save, name);
    if (good) tools::print("{}\n", printable(given_.save + "/" + name));
    return good;
  }

  mailbox::mailbox& mail_;
  const options& given_;
  const std::string id_;
  const header_block& header_;
  std::size_t failed_ = 0;
};

result<void> show_list(mailbox::mailbox& mail, const std::string& folder) {
  const auto all = all_of(mail, folder);
  if (!all) return all.error();
  std::size_t failed = 0;
  for (const auto& entry : *all) {
    const auto stored = read_header(mail, folder, entry.id);
    if (stored && *stored) show_line(entry, (*stored)->header);
    if (stored) continue;
    if (!is_of_message(stored.error())) return stored.error();
    tools::print("! {} {}\n", entry.id.substr(0, short_id), stored.error().message());
    ++failed;
  }
  return tools::all_but(failed);
}

// One that cannot be shown whole stays unseen.
result<void> read_message(mailbox::mailbox& mail, const options& given) {
  const auto entry = find(mail, given);
  if (!entry) return entry.error();
  const auto stored = read_header(mail, given.folder, entry->id);
  if (!stored) return stored.error();
  if (!*stored) return error{fault::caller, "no-message", given.id, "it just went"};
  reading message(mail, given, entry->id, (*stored)->header);
  if (!given.save.empty()) return message.save();
  show_header(**stored);
  if (auto good = message.show(); !good) return good;
  if (given.peek || contains(entry->flags, "seen")) return {};
  const auto marked = mail.set_flags(given.folder, std::span(&entry->id, 1), {{"seen"}, {}, {}});
  return marked ? result<void>() : marked.error();
}

result<void> read(const options& given) {
  auto mail = mailbox::mailbox::open(mailbox::posix_file_system(), given.directory,
                                     tools::options_for(given.directory));
  if (!mail) return mail.error();
  if (auto taken = mail->try_take_in(); !taken) return taken.error();
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
  id->check([](const std::string& text) { return text.empty() ? "an ID is empty" : ""; });
  app.add_option("--save", given.save, "Save the message's attachments in this directory")
      ->check(CLI::ExistingDirectory)
      ->needs(id);
  app.add_flag("--peek", given.peek, "Do not mark the message as seen");
  if (const auto status = tools::parse_arguments(app, argc, argv)) return *status;
  std::signal(SIGPIPE, SIG_DFL);
  const auto good = read(given);
  return good ? tools::exit_ok : tools::complain(program, good.error());
}
