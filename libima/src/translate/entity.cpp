#include "translate/entity.hpp"

#include "support/try.hpp"
#include "translate/line_reader.hpp"

#include <algorithm>
#include <optional>

namespace ima::translate {
namespace {

constexpr std::size_t longest_boundary = 1000;
constexpr std::size_t longest_type = 255;  // RFC 6838 section 4.2

// A multipart that is open: its parts are cut at its boundary.
struct open_multipart {
  std::size_t index;
  std::string boundary;
};

class scanner {
 public:
  scanner(body_source& from, std::uint64_t size, const scan_bounds& bounds)
      : reader_(from, 0, size), size_(size), bounds_(bounds) {}

  result<entity_tree> run(std::span<const mime_field> fields);

 private:
  enum class place { header, body };

  entity& current() { return tree_.all[current_]; }
  void take(const text_line& line);
  void header_line(const text_line& line);
  void add_field(const text_line& line, std::size_t colon);
  void continue_field(const text_line& line);
  std::string_view allowed(const text_line& line);
  void end_header(std::uint64_t body_at);
  void read_type(std::string_view value);
  void open_body();
  struct delimiter {
    std::size_t level;
    bool last;
  };
  std::optional<delimiter> find_delimiter(const text_line& line) const;
  void cut(const delimiter& at, const text_line& line);
  bool is_open(std::size_t index) const;
  void close_above(std::size_t level, std::uint64_t at);
  void begin_child(std::size_t parent, std::uint64_t at);

  line_reader reader_;
  std::uint64_t size_;
  const scan_bounds& bounds_;
  entity_tree tree_;
  std::vector<open_multipart> open_;
  std::size_t current_ = 0;
  place place_ = place::header;
  bool field_open_ = false;  // the last line was a field that the next may continue
  std::size_t fields_ = 0;
  std::size_t field_octets_ = 0;
  std::uint64_t line_end_ = 0;  // octets of the line end before this line
};

result<entity_tree> scanner::run(std::span<const mime_field> fields) {
  tree_.all.emplace_back();
  if (!fields.empty()) {
    current().fields.assign(fields.begin(), fields.end());
    end_header(0);
  }
  while (true) {
    IMA_TRY(line, reader_.next());
    if (!line) break;
    take(*line);
    line_end_ = line->end;
  }
  if (place_ == place::header) end_header(size_);
  line_end_ = 0;
  close_above(0, size_);
  tree_.all[0].body_end = size_;
  return std::move(tree_);
}

void scanner::take(const text_line& line) {
  const auto found = find_delimiter(line);
  if (found && place_ == place::header) end_header(line.at);
  if (found) return cut(*found, line);
  if (place_ == place::header) header_line(line);
}

void scanner::header_line(const text_line& line) {
  if (line.front.empty() && line.whole()) return end_header(line.at + line.size);
  const bool first = line.at == current().header_at;
  if (line.front.starts_with(' ') || line.front.starts_with('\t')) return continue_field(line);
  const std::size_t colon = field_colon(line.front);
  if (colon != std::string_view::npos) return add_field(line, colon);
  if (first && current_ == 0 && line.front.starts_with("From ")) return;  // of an mbox
  // The blank line is missing: this is the body already.
  if (current_ == 0) tree_.broken_header = true;
  end_header(line.at);
  if (const auto found = find_delimiter(line)) cut(*found, line);
}

// As much of the line as may still be kept.
std::string_view scanner::allowed(const text_line& line) {
  const std::size_t room = bounds_.field_octets - field_octets_;
  const std::string_view some = line.front.substr(0, room);
  field_octets_ += some.size();
  if (current_ == 0 && (some.size() < line.front.size() || !line.whole())) tree_.fields_cut = true;
  return some;
}

void scanner::add_field(const text_line& line, std::size_t colon) {
  field_open_ = fields_ < bounds_.fields && field_octets_ + colon < bounds_.field_octets;
  if (!field_open_) {
    if (current_ == 0) tree_.fields_cut = true;
    return;
  }
  ++fields_;
  const std::string_view text = allowed(line);
  current().fields.push_back({std::string(trim(text.substr(0, colon))),
                              std::string(text.substr(std::min(colon + 1, text.size())))});
}

void scanner::continue_field(const text_line& line) {
  if (!field_open_) {
    if (current_ == 0) tree_.broken_header = true;
    return;
  }
  current().fields.back().value += allowed(line);
}

void scanner::end_header(std::uint64_t body_at) {
  entity& e = current();
  e.body_at = body_at;
  for (mime_field& f : e.fields) f.value = trim(std::string(f.value));
  read_type(e.field("content-type"));
  open_body();
}

void scanner::read_type(std::string_view value) {
  parametrised type = parse_parametrised(value);
  if (is_type(type.value)) {
    current().type = std::move(type);
    current().typed = true;
  } else if (current().parent != entity::none &&
             tree_.all[current().parent].type.value == "multipart/digest") {
    current().type.value = "message/rfc822";
  }
}

void scanner::open_body() {
  place_ = place::body;
  field_open_ = false;
  std::string_view boundary = current().type.param("boundary");
  while (boundary.ends_with(' ') || boundary.ends_with('\t'))
    boundary.remove_suffix(1);  // RFC 2046
  if (!current().multipart() || boundary.empty() || boundary.size() > longest_boundary) return;
  if (current().field("content-ima") == "exact") return;
  if (open_.size() < bounds_.depth) open_.push_back({current_, std::string(boundary)});
}

// Looks whether the line ends a part of any open multipart. The outermost counts first: what is
// inside ends with it.
std::optional<scanner::delimiter> scanner::find_delimiter(const text_line& line) const {
  if (!line.front.starts_with("--") || !line.whole()) return std::nullopt;
  const std::string_view text = line.front.substr(2);
  for (std::size_t level = 0; level < open_.size(); ++level) {
    const std::string& boundary = open_[level].boundary;
    if (!text.starts_with(boundary)) continue;
    std::string_view rest = text.substr(boundary.size());
    const bool last = rest.starts_with("--");
    if (last) rest.remove_prefix(2);
    if (trim(rest).empty()) return delimiter{level, last};
  }
  return std::nullopt;
}

void scanner::cut(const delimiter& at, const text_line& line) {
  const std::size_t parent = open_[at.level].index;
  entity& whole = tree_.all[parent];
  if (whole.children.empty()) whole.preamble_end = std::max(whole.body_at, line.at - line_end_);
  close_above(at.level + 1, line.at);
  if (at.last) {
    whole.epilogue_at = line.at + line.size;
    open_.pop_back();  // what follows is in no part, until an outer boundary
  } else {
    begin_child(parent, line.at + line.size);
  }
}

bool scanner::is_open(std::size_t index) const {
  return std::any_of(open_.begin(), open_.end(),
                     [&](const open_multipart& o) { return o.index == index; });
}

// Ends every open multipart from `level` on before the line at `at`, with all that is in it, also
// multiparts that their own last boundary closed.
void scanner::close_above(std::size_t level, std::uint64_t at) {
  open_.resize(std::min(open_.size(), level));
  const std::uint64_t end = at - line_end_;
  for (std::size_t up = current_; up != 0 && !is_open(up); up = tree_.all[up].parent) {
    entity& e = tree_.all[up];
    if (e.body_end == 0) e.body_end = std::max(e.body_at, end);
  }
}

void scanner::begin_child(std::size_t parent, std::uint64_t at) {
  if (tree_.all.size() >= bounds_.entities) {
    tree_.entities_cut = true;
    current_ = parent;
    return;
  }
  current_ = tree_.all.size();
  tree_.all.emplace_back();
  current().header_at = current().body_at = at;
  current().parent = parent;
  tree_.all[parent].children.push_back(current_);
  place_ = place::header;
  field_open_ = false;
}

}  // namespace

std::size_t field_colon(std::string_view line) noexcept {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return colon;
  std::string_view name = line.substr(0, colon);
  while (name.ends_with(' ') || name.ends_with('\t')) name.remove_suffix(1);  // obs-field
  const bool good = !name.empty() && std::all_of(name.begin(), name.end(),
                                                 [](char c) { return c > ' ' && c < 0x7f; });
  return good ? colon : std::string_view::npos;
}

bool is_type(std::string_view text) noexcept {
  const std::size_t slash = text.find('/');
  return text.size() <= longest_type && slash != std::string_view::npos && slash > 0 &&
         slash + 1 < text.size() && text.find('/', slash + 1) == std::string_view::npos &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return c > ' ' && c < 0x7f && c != '"'; });
}

std::string_view entity::field(std::string_view name) const noexcept {
  for (const mime_field& f : fields)
    if (lower(f.name) == name) return f.value;
  return {};
}

result<entity_tree> scan_entities(body_source& from, std::uint64_t size, const scan_bounds& bounds,
                                  std::span<const mime_field> fields) {
  return scanner(from, size, bounds).run(fields);
}

}  // namespace ima::translate
