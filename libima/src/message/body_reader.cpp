#include <ima/message.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace ima {

struct body_reader::state {
  header_block header;
  std::size_t part = 0;
  std::uint64_t part_left = 0;
  std::uint64_t left = 0;
  hasher sum;
  std::optional<error> failed;

  explicit state(header_block h) : header(std::move(h)), left(header.body_size()) { enter(0); }

  bool done() const noexcept { return part == header.parts().size(); }

  void enter(std::size_t index) {
    part = index;
    if (!done()) part_left = header.parts()[part].size;
  }
};

body_reader::body_reader(header_block header)
    : state_(std::make_unique<state>(std::move(header))) {}
body_reader::body_reader(body_reader&&) noexcept = default;
body_reader& body_reader::operator=(body_reader&&) noexcept = default;
body_reader::~body_reader() = default;

result<std::optional<part_slice>> body_reader::next(octets& input) {
  state& s = *state_;
  if (s.failed) return *s.failed;
  if (s.done() || (input.empty() && s.part_left > 0)) return std::optional<part_slice>();
  const octets taken =
      input.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(input.size(), s.part_left)));
  input.remove_prefix(taken.size());
  s.part_left -= taken.size();
  s.left -= taken.size();
  s.sum.update(taken);
  const std::size_t index = s.part;
  if (s.part_left > 0) return std::optional(part_slice(index, taken, false));
  if (s.sum.finish() != s.header.parts()[index].sha256) {
    s.failed = error{fault::peer, "part-digest", fmt::format("part {}", index + 1),
                     "the octets do not match the part's sha256="};
    return *s.failed;
  }
  s.enter(index + 1);
  return std::optional(part_slice(index, taken, true));
}

std::uint64_t body_reader::remaining() const noexcept { return state_->left; }
bool body_reader::complete() const noexcept { return state_->done(); }

}  // namespace ima
