// Mailboxes: every message of every folder, and imports that know what is there.

#include "support/try.hpp"
#include "translate/item.hpp"
#include "translate/stored_body.hpp"

#include <ima/mailbox/delivery.hpp>
#include <ima/mailbox/mailbox.hpp>
#include <ima/roles.hpp>

#include <algorithm>
#include <set>
#include <span>
#include <utility>

namespace ima::translate {
namespace {

constexpr std::size_t page = 200;

class mailbox_source : public item_source {
 public:
  mailbox_source(std::string path, std::shared_ptr<mailbox::mailbox> box,
                 std::vector<mailbox::folder> folders)
      : path_(std::move(path)), box_(std::move(box)), folders_(std::move(folders)) {}

  result<std::optional<item>> next() override {
    while (folder_ < folders_.size()) {
      if (entries_.empty()) {
        IMA_CHECK(next_page());
        continue;
      }
      const mailbox::entry entry = std::move(entries_.back());
      entries_.pop_back();
      if (entry.gone) continue;
      if (auto one = read(entry)) return one;
    }
    return std::optional<item>();
  }

 private:
  result<void> next_page() {
    if (!more_) {
      ++folder_;
      token_ = "0";
      more_ = true;
      return {};
    }
    IMA_TRY(got, box_->changes(folders_[folder_].name, token_, page));
    entries_ = std::move(got.entries);
    std::reverse(entries_.begin(), entries_.end());
    token_ = std::move(got.token);
    more_ = got.more;
    return {};
  }

  // Nothing where it left the folder since.
  std::optional<item> read(const mailbox::entry& entry) {
    const std::string& folder = folders_[folder_].name;
    item one;
    one.place = path_ + ": " + folder + " " + entry.id;
    one.folder = folder;
    one.flags = entry.flags;
    one.arrived = entry.arrived;
    const auto stored = box_->header(folder, entry.id);
    if (!stored) {
      one.problem = stored.error();
      return one;
    }
    if (!*stored) return std::nullopt;
    one.header = (*stored)->header;
    one.size = one.header->body_size();
    one.octets = std::make_unique<stored_body>(*box_, folder, entry.id, *one.header);
    return one;
  }

  std::string path_;
  std::shared_ptr<mailbox::mailbox> box_;
  std::vector<mailbox::folder> folders_;
  std::size_t folder_ = 0;
  std::string token_ = "0";
  bool more_ = true;
  std::vector<mailbox::entry> entries_;  // the next one last
};

std::string role_of(const std::string& folder) {
  std::string name = folder;
  for (char& c : name)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return name != "inbox" && is_role(name) ? name : std::string();
}

class mailbox_target : public item_target {
 public:
  mailbox_target(const transfer_options& what, mailbox::file_system& disk, mailbox::mailbox box)
      : what_(what), disk_(disk), box_(std::move(box)) {}

  std::future<result<bool>> write(item& one, std::vector<remark>& remarks) override {
    auto made = prepare(one, remarks);
    if (!made) return done(std::move(made).error());
    const auto commit = [into = std::make_shared<mailbox::delivery>(std::move(*made))] {
      const auto stored = into->commit();
      return stored.front() ? result<bool>(!stored.front()->already) : stored.front().error();
    };
    // Where no thread is to be had it waits for whoever asks for its result.
    return std::async(std::launch::async | std::launch::deferred, commit);
  }

  result<void> finish(bool /*whole*/) override { return take_in(); }

 private:
  static constexpr std::size_t taken_in_at_once = 500;

  result<void> take_in() {
    begun_ = 0;
    IMA_CHECK(box_.take_in());
    return {};
  }

  // All of a delivery but its commit.
  result<mailbox::delivery> prepare(item& one, std::vector<remark>& remarks) {
    if (++begun_ == taken_in_at_once) IMA_CHECK(take_in());
    IMA_CHECK(open_folder(one.folder));
    std::optional<mailbox::delivery> into;
    std::optional<body_reader> reader;
    IMA_CHECK(write_message(
        one, what_.bounds, remarks,
        [&](const header_block& header) { return begin(one, header, into, reader); },
        [&](octets piece) { return feed(*into, *reader, piece); }));
    IMA_CHECK(feed(*into, *reader, {}));  // empty parts at the end
    return std::move(*into);
  }

  result<void> begin(const item& one, const header_block& header,
                     std::optional<mailbox::delivery>& into, std::optional<body_reader>& reader) {
    IMA_CHECK(forget_deletion(header.id_digest()));
    mailbox::record note;
    note.received.at = one.arrived;
    note.folder = one.folder;
    note.flags = one.flags;
    IMA_TRY(made,
            mailbox::delivery::begin(disk_, header, {{what_.out, std::nullopt, note, false}}));
    into.emplace(std::move(made));
    reader.emplace(header);
    return {};
  }

  // Whoever imports a message wants it, though it was deleted: it may come from a backup.
  result<void> forget_deletion(const digest& id) {
    IMA_TRY(deleted, mailbox::was_deleted(disk_, what_.out, id));
    const std::string name = id.hex();
    return deleted ? box_.forget_deletion(std::span(&name, 1)) : result<void>();
  }

  static result<void> feed(mailbox::delivery& into, body_reader& reader, octets piece) {
    while (true) {
      IMA_TRY(slice, reader.next(piece));
      if (!slice) return {};
      IMA_CHECK(into.write(*slice));
    }
  }

  result<void> open_folder(const std::string& name) {
    if (folders_.empty()) {
      IMA_TRY(there, box_.folders());
      for (const mailbox::folder& folder : there) folders_.insert(folder.name);
    }
    if (folders_.contains(name)) return {};
    auto made = box_.create_folder(name, role_of(name));
    if (!made && made.error().rule == "folder-role") made = box_.create_folder(name);
    if (made) folders_.insert(name);
    return made;
  }

  transfer_options what_;
  mailbox::file_system& disk_;
  mailbox::mailbox box_;
  std::set<std::string> folders_;
  std::size_t begun_ = 0;  // since new messages were last taken in
};

}  // namespace

result<void> stored_body::read_at(std::uint64_t offset, char* buffer, std::size_t size) {
  const auto parts = header_.parts();
  while (size > 0) {
    const bool inside = part_ && offset >= parts[index_].offset &&
                        offset < parts[index_].offset + parts[index_].size;
    if (!inside) IMA_CHECK(open_part_at(offset));
    const part_info& info = parts[index_];
    const std::uint64_t from = offset - info.offset;
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(size, info.size - from));
    IMA_TRY(count, part_->read_at(from, {buffer, wanted}));
    if (count == 0) return error{fault::temporary, "storage", id_, "a part is too short"};
    offset += count;
    buffer += count;
    size -= count;
  }
  return {};
}

result<void> stored_body::open_part_at(std::uint64_t offset) {
  const auto parts = header_.parts();
  for (index_ = 0; index_ < parts.size(); ++index_)
    if (offset < parts[index_].offset + parts[index_].size) break;
  if (index_ == parts.size()) return error{fault::temporary, "storage", id_, "behind the end"};
  IMA_TRY(part, box_.open_part(folder_, id_, index_ + 1));
  part_ = std::move(part);
  return {};
}

result<std::unique_ptr<item_source>> open_mailbox_source(const transfer_options& what) {
  auto& disk = mailbox::posix_file_system();
  IMA_TRY(there, disk.status(what.in));
  if (!there) return error{fault::caller, "no-input", what.in, "no such mailbox"};
  IMA_TRY(opened, mailbox::mailbox::open(disk, what.in, what.in_box));
  auto box = std::make_shared<mailbox::mailbox>(std::move(opened));
  IMA_CHECK(box->take_in());
  IMA_TRY(folders, box->folders());
  return std::unique_ptr<item_source>(
      std::make_unique<mailbox_source>(what.in, std::move(box), std::move(folders)));
}

result<std::unique_ptr<item_target>> open_mailbox_target(const transfer_options& what) {
  auto& disk = mailbox::posix_file_system();
  auto made = mailbox::mailbox::create(disk, what.out);
  if (!made && made.error().rule != "mailbox-exists") return made.error();
  IMA_TRY(box, mailbox::mailbox::open(disk, what.out, what.out_box));
  return std::unique_ptr<item_target>(std::make_unique<mailbox_target>(what, disk, std::move(box)));
}

}  // namespace ima::translate
