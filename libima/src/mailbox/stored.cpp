#include "mailbox/record.hpp"
#include "mailbox/store.hpp"

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
  file_part(std::unique_ptr<file> text, std::uint64_t offset, std::uint64_t size)
      : text_(std::move(text)), offset_(offset), size_(size) {}

  std::uint64_t size() const noexcept override { return size_; }
  result<std::size_t> read_at(std::uint64_t offset, std::span<char> into) const override {
    if (offset >= size_) return std::size_t{0};
    const auto count = std::min<std::uint64_t>(into.size(), size_ - offset);
    return text_->read_at(offset_ + offset, into.first(static_cast<std::size_t>(count)));
  }

 private:
  std::unique_ptr<file> text_;
  std::uint64_t offset_;
  std::uint64_t size_;
};

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
  return stored_text{std::move(text), front.substr(0, ends->record), *header, ends->header};
}

result<void> remove_from(file_system& files, const std::string& directory, std::string_view id) {
  IMA_TRY(found, layout::find_object(files, directory, id));
  if (!found) return {};
  return layout::remove_object(files, *found);
}

result<std::optional<layout::object>> mailbox::state::object_of(std::string_view id) {
  IMA_TRY(found, layout::find_object(files, tree.shard(id), id));
  if (found) return found;
  return layout::find_object(files, tree.incoming(), id);
}

result<std::optional<stored_header>> mailbox::header(std::string_view folder, std::string_view id) {
  state& s = *state_;
  IMA_TRY(there, find(folder, id));
  if (!there) return std::optional<stored_header>();
  IMA_TRY(found, s.object_of(id));
  if (!found) return std::optional<stored_header>();
  IMA_TRY(text, open_text(s.files, *found));
  return std::optional(stored_header{std::move(text.record), text.header});
}

result<std::unique_ptr<part_source>> mailbox::open_part(std::string_view folder,
                                                        std::string_view id, std::uint64_t part) {
  state& s = *state_;
  IMA_TRY(there, find(folder, id));
  const error gone{fault::caller, "no-message", std::string(id), "no such message in the folder"};
  if (!there) return gone;
  IMA_TRY(found, s.object_of(id));
  if (!found) return gone;
  IMA_TRY(text, open_text(s.files, *found));
  const auto parts = text.header.parts();
  if (part == 0 || part > parts.size())
    return error{fault::caller, "no-part", std::string(id), "no such part"};
  const part_info& wanted = parts[part - 1];
  if (!layout::is_inline(wanted)) {
    IMA_TRY(content, s.files.open(found->path + "/" + layout::attachment_name(part, wanted.name)));
    return std::unique_ptr<part_source>(
        std::make_unique<file_part>(std::move(content), 0, wanted.size));
  }
  std::uint64_t offset = text.inline_offset;
  for (const auto& before : parts.first(part - 1))
    if (layout::is_inline(before)) offset += before.size;
  return std::unique_ptr<part_source>(
      std::make_unique<file_part>(std::move(text.text), offset, wanted.size));
}

}  // namespace ima::mailbox
