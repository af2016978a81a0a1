#include "mailbox/record.hpp"
#include "mailbox/store.hpp"

#include <ima/mailbox/save_part.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <limits>

// Reading messages as they lie on disk (docs/mailbox.md section 4).

namespace ima::mailbox {

namespace {

constexpr std::size_t first_read = 16 * 1024;
constexpr std::size_t longest_front = 64 * 1024 * 1024;

// What was delivered under larger limits stays readable.
limits reading_limits() {
  limits bounds;
  bounds.header_line = bounds.header_block = longest_front;
  bounds.parts = bounds.recipients = bounds.received = longest_front;
  bounds.body = std::numeric_limits<std::uint64_t>::max();
  return bounds;
}

error damaged(const layout::object& what, std::string_view text) {
  return {fault::temporary, "message-damaged", what.path, std::string(text)};
}

class file_part final : public part_source {
 public:
  file_part(std::shared_ptr<const file> text, std::uint64_t offset, std::uint64_t size)
      : text_(std::move(text)), offset_(offset), size_(size) {}

  std::uint64_t size() const noexcept override { return size_; }
  result<std::size_t> read_at(std::uint64_t offset, std::span<char> into) const override {
    if (offset >= size_) return std::size_t{0};
    const auto count = std::min<std::uint64_t>(into.size(), size_ - offset);
    return text_->read_at(offset_ + offset, into.first(static_cast<std::size_t>(count)));
  }

 private:
  std::shared_ptr<const file> text_;
  std::uint64_t offset_;
  std::uint64_t size_;
};

// Whoever is told that a part is there gets all of it.
result<void> check_size(const layout::object& what, const file& content, std::uint64_t least) {
  IMA_TRY(size, content.size());
  if (size < least) return damaged(what, "a part is shorter than its line says");
  return {};
}

// Where record and header block end, once both are there.
struct front_ends {
  std::size_t record;
  std::size_t header;
};
std::optional<front_ends> find_front(octets text) {
  const std::size_t record = text.find("\n\n");
  if (record == octets::npos) return std::nullopt;
  const std::size_t header = text.find("\n\n", record + 2);
  if (header == octets::npos) return std::nullopt;
  return front_ends{record + 2, header + 2};
}

}  // namespace

result<stored_text> open_text(file_system& files, const layout::object& what) {
  IMA_TRY(text, files.open(what.text()));
  std::string front;
  std::optional<front_ends> ends;
  for (std::size_t size = first_read; !ends; size *= 2) {
    front.resize(size);
    IMA_TRY(count, text->read_at(0, front));
    front.resize(count);
    ends = find_front(front);
    if (!ends && (count < size || size >= longest_front)) return damaged(what, "no header block");
  }
  auto header = header_block::parse(octets(front).substr(ends->record, ends->header - ends->record),
                                    reading_limits());
  if (!header) return damaged(what, header.error().message());
  front.resize(ends->record);
  auto note = read_record(front);
  if (!note) return damaged(what, "record: " + note.error().text);
  return stored_text{std::shared_ptr<const file>(std::move(text)), std::move(front),
                     *std::move(note), *header, ends->header};
}

result<std::unique_ptr<part_source>> open_part_of(file_system& files, const layout::object& what,
                                                  const stored_text& message, std::size_t part) {
  const auto parts = message.header.parts();
  const part_info& wanted = parts[part];
  if (!layout::is_inline(wanted)) {
    IMA_TRY(content, files.open(what.path + "/" + layout::attachment_name(part + 1, wanted.name)));
    IMA_CHECK(check_size(what, *content, wanted.size));
    return std::unique_ptr<part_source>(
        std::make_unique<file_part>(std::move(content), 0, wanted.size));
  }
  std::uint64_t offset = message.inline_offset;
  for (const auto& before : parts.first(part))
    if (layout::is_inline(before)) offset += before.size;
  IMA_CHECK(check_size(what, *message.text, offset + wanted.size));
  return std::unique_ptr<part_source>(
      std::make_unique<file_part>(message.text, offset, wanted.size));
}

namespace {

result<void> verify_part_of(file_system& files, const layout::object& what,
                            const stored_text& message, std::size_t part) {
  const part_info& wanted = message.header.parts()[part];
  const error wrong = damaged(what, fmt::format("part {} is not what its line says", part + 1));
  auto source = open_part_of(files, what, message, part);
  if (!source || !verify_part(**source, wanted)) return wrong;
  return {};
}

}  // namespace

result<void> verify_message(file_system& files, const layout::object& what, std::string_view id) {
  auto message = open_text(files, what);
  if (!message && message.error().rule == "file-unreadable")
    return damaged(what, message.error().message());
  if (!message) return message.error();
  if (message->header.id_digest().hex() != id.substr(0, 64))
    return damaged(what, "its header block is another");
  for (std::size_t i = 0; i < message->header.parts().size(); ++i)
    IMA_CHECK(verify_part_of(files, what, *message, i));
  return {};
}

result<std::optional<layout::object>> mailbox::state::object_of(std::string_view id) {
  IMA_TRY(found, layout::find_object(files, tree.shard(id), id));
  if (found) return found;
  return layout::find_object(files, tree.incoming(), id);
}

// Where it went between the look at the index and the look at the files, the second look at the
// index tells so. Where the journal still has it, its files are missing.
template <class Work>
auto mailbox::state::with_message(std::string_view folder, std::string_view id, const Work& work)
    -> std::optional<decltype(work(std::declval<const layout::object&>()))> {
  using outcome_type = decltype(work(std::declval<const layout::object&>()));
  for (const bool again : {false, true}) {
    auto there = find(folder, id);
    if (!there) return outcome_type(there.error());
    if (!*there) return std::nullopt;
    auto object = object_of(id);
    if (!object) return outcome_type(object.error());
    if (*object) {
      auto done = work(**object);
      if (done || done.error().rule != "file-missing" || again) return done;
    }
  }
  return outcome_type(
      error{fault::temporary, "message-damaged", std::string(id), "its files are missing"});
}

result<std::optional<stored_header>> mailbox::header(std::string_view folder, std::string_view id) {
  state& s = *state_;
  auto done = s.with_message(folder, id, [&](const layout::object& what) -> result<stored_header> {
    IMA_TRY(text, open_text(s.files, what));
    return stored_header{std::move(text.record), text.header};
  });
  if (!done) return std::optional<stored_header>();
  if (!*done) return done->error();
  return std::optional(std::move(**done));
}

result<std::unique_ptr<part_source>> mailbox::open_part(std::string_view folder,
                                                        std::string_view id, std::uint64_t part) {
  state& s = *state_;
  using source = std::unique_ptr<part_source>;
  auto done = s.with_message(folder, id, [&](const layout::object& what) -> result<source> {
    IMA_TRY(message, open_text(s.files, what));
    if (part == 0 || part > message.header.parts().size())
      return error{fault::caller, "no-part", std::string(id), "no such part"};
    return open_part_of(s.files, what, message, static_cast<std::size_t>(part - 1));
  });
  if (done) return std::move(*done);
  return error{fault::caller, "no-message", std::string(id), "no such message in the folder"};
}

}  // namespace ima::mailbox
