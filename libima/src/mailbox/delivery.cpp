#include "mailbox/layout.hpp"
#include "mailbox/record.hpp"
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

  const std::string& id() const noexcept { return id_; }
  std::string attachment(const std::string& name) const { return object_.path + "/" + name; }

  result<void> open(std::string first) {
    if (object_.directory) {
      IMA_CHECK(files_->make_directory(object_.path));
      begun_ = true;
    }
    IMA_TRY(text, files_->create(object_.text()));
    begun_ = true;
    text_ = std::move(text);
    pending_ = std::move(first);
    return {};
  }

  result<void> append(octets more) {
    pending_ += more;
    return pending_.size() < write_together ? result<void>() : flush();
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
  result<void> flush() {
    IMA_CHECK(text_->append(pending_));
    pending_.clear();
    return {};
  }

  result<bool> name() {
    const std::string to =
        fmt::format("{}/{}", tree_.incoming(), layout::object_name(id_, object_.directory));
    const auto named =
        object_.directory ? files_->rename(object_.path, to) : files_->link(object_.path, to);
    const bool taken = !named && named.error().rule == "file-exists";
    if (!named && !taken) return named.error();
    if (object_.directory && !taken)
      begun_ = false;
    else
      remove();
    return taken;
  }

  file_system* files_;
  layout::tree tree_;
  std::string id_;
  layout::object object_;
  std::unique_ptr<file> text_;
  std::string pending_;
  bool begun_ = false;
};

struct slot {
  std::string id;
  std::optional<stage> staged;  // nothing: it has the message already, or it failed
  std::optional<error> failed;
};

}  // namespace

result<bool> contains(file_system& files, const std::string& path, const digest& id) {
  const layout::tree tree{path};
  const std::string name = id.hex();
  IMA_TRY(tombstone, files.status(tree.tombstone(name)));
  if (tombstone) return true;
  IMA_TRY(incoming, layout::find_object(files, tree.incoming(), name));
  if (incoming) return true;
  IMA_TRY(taken_in, layout::find_object(files, tree.shard(name), name));
  return taken_in.has_value();
}

struct delivery::state {
  file_system& files;
  header_block header;
  std::vector<slot> slots;
  std::unique_ptr<file> attachment;
  slot* writer = nullptr;  // holds the attachments; the others link them
  std::size_t part = 0;

  state(file_system& f, header_block h) : files(f), header(std::move(h)) {}
  state(const state&) = delete;
  state& operator=(const state&) = delete;
  ~state() {
    attachment.reset();
    for (auto& s : slots)
      if (s.staged) s.staged->remove();
  }

  void fail(slot& s, error e) {
    if (s.staged) s.staged->remove();
    s.staged.reset();
    s.failed = std::move(e);
  }

  std::string name_of(std::size_t index) const {
    return layout::attachment_name(index + 1, header.parts()[index].name);
  }

  result<void> begin(slot& s, const target& t);
  result<void> write_inline(octets bytes);
  result<void> write_attachment(const part_slice& slice);
  result<void> share(slot& s);
  result<void> lose_writer(error e);
  result<delivered> commit(slot& s);
};

result<void> delivery::state::begin(slot& s, const target& t) {
  const digest& id = header.id_digest();
  s.id = t.apart ? fmt::format("{}-{}", id.hex(), layout::random_hex(16)) : id.hex();
  if (!t.apart) {
    IMA_TRY(had, contains(files, t.path, id));
    if (had) return {};
  }
  IMA_TRY(first, write_record(t.note));
  first += t.recipient ? header.for_recipient(*t.recipient).text() : header.text();
  s.staged.emplace(files, t.path, s.id, layout::has_attachments(header));
  return s.staged->open(std::move(first));
}

result<void> delivery::state::write_inline(octets bytes) {
  for (auto& s : slots)
    if (s.staged)
      if (auto written = s.staged->append(bytes); !written) {
        if (&s == writer) return lose_writer(written.error());
        fail(s, written.error());
      }
  return {};
}

// Only the writer has the attachments, so they are lost with it, and every target fails.
result<void> delivery::state::lose_writer(error e) {
  for (auto& s : slots)
    if (s.staged) fail(s, e);
  writer = nullptr;
  return e;
}

result<void> delivery::state::write_attachment(const part_slice& slice) {
  if (writer == nullptr) return {};
  const auto step = [&]() -> result<void> {
    if (!attachment) {
      IMA_TRY(made, files.create(writer->staged->attachment(name_of(slice.part()))));
      attachment = std::move(made);
    }
    IMA_CHECK(attachment->append(slice.bytes()));
    if (!slice.last()) return {};
    IMA_CHECK(attachment->sync());
    attachment.reset();
    return {};
  };
  if (auto done = step(); !done) return lose_writer(done.error());
  return {};
}

result<void> delivery::state::share(slot& s) {
  for (std::size_t i = 0; i < header.parts().size(); ++i) {
    if (layout::is_inline(header.parts()[i])) continue;
    const std::string from = writer->staged->attachment(name_of(i));
    const std::string to = s.staged->attachment(name_of(i));
    IMA_CHECK(layout::link_or_copy(files, from, to));
  }
  return {};
}

result<delivered> delivery::state::commit(slot& s) {
  if (s.failed) return *s.failed;
  if (!s.staged) return delivered{s.id, true};
  auto already = s.staged->commit();
  if (!already) {
    fail(s, already.error());
    return *s.failed;
  }
  return delivered{s.id, *already};
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
  s->slots.resize(targets.size());
  for (std::size_t i = 0; i < targets.size(); ++i) {
    auto begun = s->begin(s->slots[i], targets[i]);
    if (!begun && begun.error().kind == fault::caller) return begun.error();
    if (!begun) s->fail(s->slots[i], begun.error());
    if (s->writer == nullptr && s->slots[i].staged) s->writer = &s->slots[i];
  }
  return delivery(std::move(s));
}

result<void> delivery::write(const part_slice& slice) {
  state& s = *state_;
  if (slice.part() != s.part)
    return error{fault::caller, "delivery-incomplete", "", "a slice out of order"};
  if (slice.last()) ++s.part;
  if (layout::is_inline(s.header.parts()[slice.part()])) return s.write_inline(slice.bytes());
  return s.write_attachment(slice);
}

std::vector<result<delivered>> delivery::commit() {
  state& s = *state_;
  if (s.part != s.header.parts().size())
    return std::vector<result<delivered>>(
        s.slots.size(),
        error{fault::caller, "delivery-incomplete", "", "parts are still to be written"});
  // Links are made while the writer's copy still has its name in tmp/.
  for (auto& other : s.slots)
    if (other.staged && &other != s.writer && layout::has_attachments(s.header))
      if (auto shared = s.share(other); !shared) s.fail(other, shared.error());
  std::vector<result<delivered>> outcomes;
  for (auto& each : s.slots) outcomes.push_back(s.commit(each));
  return outcomes;
}

}  // namespace ima::mailbox
