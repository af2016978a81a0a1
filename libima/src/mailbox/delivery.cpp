#include "mailbox/layout.hpp"
#include "mailbox/record.hpp"
#include "mailbox/small_files.hpp"
#include "support/try.hpp"

#include <ima/mailbox/delivery.hpp>

#include <fmt/format.h>

#include <utility>

namespace ima::mailbox {

namespace {

constexpr std::size_t write_together = 64 * 1024;

// One target's message while it is built in tmp/: a file, or a directory with message.ima.
class stage {
 public:
  stage(file_system& files, std::string root, std::string id, bool directory)
      : files_(&files),
        tree_{std::move(root)},
        id_(std::move(id)),
        object_{tree_.unfinished(directory), directory} {}

  std::string attachment(const std::string& name) const { return object_.path + "/" + name; }

  /// `first` is what stands before the inline parts.
  result<void> open(std::string first) {
    if (object_.directory) {
      IMA_CHECK(files_->make_directory(object_.path));
      begun_ = true;
    }
    IMA_TRY(text, files_->create(object_.text()));
    begun_ = true;
    text_ = std::move(text);
    front_ = first.size();
    pending_ = std::move(first);
    return {};
  }

  result<void> append(octets more) {
    pending_ += more;
    return pending_.size() < write_together ? result<void>() : flush();
  }

  /// Adds the inline parts of another stage, which was flushed.
  result<void> append_parts_of(const stage& other) {
    std::string buffer(write_together, '\0');
    for (std::uint64_t offset = other.front_;;) {
      IMA_TRY(count, other.text_->read_at(offset, buffer));
      if (count == 0) return {};
      IMA_CHECK(append(octets(buffer).substr(0, count)));
      offset += count;
    }
  }

  result<void> flush() {
    IMA_CHECK(text_->append(pending_));
    pending_.clear();
    return {};
  }

  // Puts everything on disk and gives it its name. True where the name was taken already.
  result<bool> commit() {
    IMA_CHECK(flush());
    IMA_CHECK(text_->sync());
    text_.reset();
    if (object_.directory) IMA_CHECK(files_->sync_directory(object_.path));
    IMA_TRY(already, name());
    // Also for a name that was taken: whoever took it may not have synced it yet.
    IMA_CHECK(files_->sync_directory(tree_.incoming()));
    return already;
  }

  // What is left behind where this fails is a leftover that recovery clears (section 6).
  void remove() noexcept {
    text_.reset();
    if (begun_) (void)layout::remove_leftover(*files_, object_);
    begun_ = false;
  }

 private:
  result<bool> name() {
    if (object_.directory) return rename_to_new();
    auto linked = files_->link(object_.path, named());
    if (!linked && linked.error().rule == "file-link") {
      IMA_CHECK(become_directory());
      return rename_to_new();
    }
    if (!linked && linked.error().rule != "file-exists") return linked.error();
    remove();
    return !linked;
  }

  result<bool> rename_to_new() {
    auto renamed = files_->rename(object_.path, named());
    if (!renamed && renamed.error().rule != "file-exists") return renamed.error();
    if (renamed)
      begun_ = false;
    else
      remove();
    return !renamed;
  }

  // On a file system without hard links, renaming a directory is what fails where the name exists.
  result<void> become_directory() {
    const layout::object directory{tree_.unfinished(true), true};
    IMA_CHECK(files_->make_directory(directory.path));
    if (auto moved = files_->rename(object_.path, directory.text()); !moved) {
      (void)files_->remove_directory(directory.path);  // or a leftover
      return moved;
    }
    object_ = directory;
    return files_->sync_directory(object_.path);
  }

  std::string named() const {
    return fmt::format("{}/{}", tree_.incoming(), layout::object_name(id_, object_.directory));
  }

  file_system* files_;
  layout::tree tree_;
  std::string id_;
  layout::object object_;
  std::unique_ptr<file> text_;
  std::string pending_;
  std::uint64_t front_ = 0;
  bool begun_ = false;
};

struct slot {
  target to;
  std::string id;
  bool already = false;
  std::optional<stage> staged;
  std::optional<error> failed;

  bool wanted() const noexcept { return !already && !failed; }
};

}  // namespace

// In this order, as a message goes from new/ to msg/ and not back. The answer is as good as a
// delivery.
result<bool> contains(file_system& files, const std::string& path, const digest& id) {
  const layout::tree tree{path};
  const std::string name = id.hex();
  IMA_TRY(deleted, was_deleted(files, path, id));
  if (deleted) return true;
  IMA_TRY(waiting, layout::find_durable(files, tree.incoming(), name));
  if (waiting) return true;
  return layout::find_durable(files, tree.shard(name), name);
}

result<bool> was_deleted(file_system& files, const std::string& path, const digest& id) {
  IMA_TRY(tombstone, files.status(layout::tree{path}.tombstone(id.hex())));
  return tombstone.has_value();
}

// One target, the writer, gets the parts as they come; the others are made from it at the end, one
// after the other, so that neither memory nor open files know how many there are.
struct delivery::state {
  file_system& files;
  header_block header;
  std::vector<slot> slots;
  std::unique_ptr<file> attachment;
  slot* writer = nullptr;
  std::size_t part = 0;

  state(file_system& f, header_block h) : files(f), header(std::move(h)) {}
  state(const state&) = delete;
  state& operator=(const state&) = delete;
  ~state() {
    attachment.reset();
    for (auto& s : slots)
      if (s.staged) s.staged->remove();
  }

  static void fail(slot& s, error e) {
    if (s.staged) s.staged->remove();
    s.staged.reset();
    s.failed = std::move(e);
  }

  std::string name_of(std::size_t index) const {
    return layout::attachment_name(index + 1, header.parts()[index].name);
  }

  result<void> begin(slot& s);
  result<void> open(slot& s);
  void choose_writer();
  result<void> write(const part_slice& slice);
  result<void> write_attachment(const part_slice& slice);
  result<void> lose_writer(error e);
  result<void> build(slot& s);
  void commit(slot& s);
};

result<void> delivery::state::begin(slot& s) {
  IMA_CHECK(check_format(files, layout::tree{s.to.path}));
  IMA_CHECK(write_record(s.to.note));
  const digest& id = header.id_digest();
  s.id = s.to.apart ? fmt::format("{}-{}", id.hex(), layout::random_hex(16)) : id.hex();
  if (s.to.apart) return {};
  IMA_TRY(had, contains(files, s.to.path, id));
  s.already = had;
  return {};
}

result<void> delivery::state::open(slot& s) {
  IMA_TRY(first, write_record(s.to.note));
  first += s.to.recipient ? header.for_recipient(*s.to.recipient).text() : header.text();
  s.staged.emplace(files, s.to.path, s.id, layout::has_attachments(header));
  return s.staged->open(std::move(first));
}

void delivery::state::choose_writer() {
  for (auto& s : slots) {
    if (!s.wanted()) continue;
    writer = &s;
    auto opened = open(s);
    if (opened) return;
    fail(s, opened.error());
    writer = nullptr;
  }
}

// What it wrote is lost with it, so that every target fails.
result<void> delivery::state::lose_writer(error e) {
  attachment.reset();
  for (auto& s : slots)
    if (s.wanted()) fail(s, e);
  writer = nullptr;
  return e;
}

result<void> delivery::state::write_attachment(const part_slice& slice) {
  if (!attachment) {
    IMA_TRY(made, files.create(writer->staged->attachment(name_of(slice.part()))));
    attachment = std::move(made);
  }
  IMA_CHECK(attachment->append(slice.bytes()));
  if (!slice.last()) return {};
  IMA_CHECK(attachment->sync());
  attachment.reset();
  return {};
}

result<void> delivery::state::write(const part_slice& slice) {
  if (writer == nullptr) return {};
  auto done = layout::is_inline(header.parts()[slice.part()])
                  ? writer->staged->append(slice.bytes())
                  : write_attachment(slice);
  if (!done) return lose_writer(done.error());
  return {};
}

// Another target's message, from the writer's, which still has its name in tmp/.
result<void> delivery::state::build(slot& s) {
  IMA_CHECK(open(s));
  IMA_CHECK(s.staged->append_parts_of(*writer->staged));
  for (std::size_t i = 0; i < header.parts().size(); ++i)
    if (!layout::is_inline(header.parts()[i]))
      IMA_CHECK(layout::link_or_copy(files, writer->staged->attachment(name_of(i)),
                                     s.staged->attachment(name_of(i))));
  return {};
}

void delivery::state::commit(slot& s) {
  auto already = s.staged->commit();
  if (!already) return fail(s, already.error());
  s.already = *already;
  s.staged.reset();
}

delivery::delivery(std::unique_ptr<state> s) : state_(std::move(s)) {}
delivery::delivery(delivery&&) noexcept = default;
delivery& delivery::operator=(delivery&&) noexcept = default;
delivery::~delivery() = default;

result<delivery> delivery::begin(file_system& files, const header_block& header,
                                 std::vector<target> targets) {
  if (targets.empty())
    return error{fault::caller, "delivery-targets", "", "a delivery needs a mailbox"};
  auto s = std::make_unique<state>(files, header);
  for (auto& to : targets) {
    s->slots.push_back({std::move(to), {}, false, std::nullopt, std::nullopt});
    auto begun = s->begin(s->slots.back());
    if (!begun && begun.error().kind == fault::caller) return begun.error();
    if (!begun) s->slots.back().failed = begun.error();
  }
  s->choose_writer();
  return delivery(std::move(s));
}

const std::string& delivery::id(std::size_t target) const noexcept {
  return state_->slots[target].id;
}

result<void> delivery::write(const part_slice& slice) {
  state& s = *state_;
  if (slice.part() != s.part)
    return error{fault::caller, "delivery-incomplete", "", "a slice out of order"};
  if (slice.last()) ++s.part;
  return s.write(slice);
}

std::vector<result<delivered>> delivery::commit() {
  state& s = *state_;
  if (s.part != s.header.parts().size())
    return std::vector<result<delivered>>(
        s.slots.size(),
        error{fault::caller, "delivery-incomplete", "", "parts are still to be written"});
  if (s.writer != nullptr)
    if (auto flushed = s.writer->staged->flush(); !flushed) (void)s.lose_writer(flushed.error());
  for (auto& other : s.slots) {
    if (!other.wanted() || &other == s.writer) continue;
    if (auto built = s.build(other); !built)
      s.fail(other, built.error());
    else
      s.commit(other);
  }
  if (s.writer != nullptr) s.commit(*s.writer);
  s.writer = nullptr;
  std::vector<result<delivered>> outcomes;
  for (const auto& each : s.slots)
    outcomes.push_back(each.failed ? result<delivered>(*each.failed)
                                   : result<delivered>(delivered{each.id, each.already}));
  return outcomes;
}

}  // namespace ima::mailbox
