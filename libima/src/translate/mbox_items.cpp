// mbox files, of the kind mboxrd: each message stands behind a line that begins with "From ", and a
// line of a message that does so, or has ">" before it, gets one more ">". Read is mboxcl2 too,
// whose messages have a Content-Length and nothing quoted, and what programs write that quote
// nothing.

#include "service/spool.hpp"
#include "support/try.hpp"
#include "translate/fields.hpp"
#include "translate/from_line.hpp"
#include "translate/item.hpp"
#include "translate/line_reader.hpp"
#include "translate/mbox_notes.hpp"
#include "translate/mime_words.hpp"
#include "translate/output_file.hpp"
#include "translate/read_fully.hpp"
#include "wire/words.hpp"

#include <ima/translate/mail_file.hpp>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <optional>
#include <utility>
#include <vector>

namespace ima::translate {
namespace {

bool is_quoted_from(std::string_view line) noexcept {
  return line.substr(std::min(line.find_first_not_of('>'), line.size())).starts_with("From ");
}

// A message that was copied out of the file.
class spooled : public body_source {
 public:
  explicit spooled(service::spool kept) : kept_(std::move(kept)) {}

  result<void> append(octets more) { return kept_.append(more); }
  std::uint64_t size() const noexcept { return kept_.size(); }
  result<void> read_at(std::uint64_t offset, char* buffer, std::size_t size) override {
    const auto read_some = [&](std::uint64_t at, char* into, std::size_t count) {
      return kept_.read_at(at, into, count);
    };
    return read_fully(read_some, "spool", offset, buffer, size);
  }

 private:
  service::spool kept_;
};

std::optional<std::uint64_t> content_length(std::string_view line) {
  constexpr std::string_view name = "content-length:";
  if (lower(line.substr(0, name.size())) != name) return std::nullopt;
  return wire::parse_number(trim(line.substr(name.size())));
}

remark taken_for_text(std::string_view line, std::string_view why) {
  constexpr std::size_t shown = 60;
  const std::string_view front = line.substr(0, shown);
  return {"from-line",
          {},
          fmt::format("'{}{}' {} and is text", front, front == line ? "" : "...", why)};
}

class mbox_source : public item_source {
 public:
  mbox_source(std::string path, mail_file file)
      : path_(std::move(path)), file_(std::move(file)), reader_(file_, 0, file_.size()) {}

  result<std::optional<item>> next() override;

 private:
  result<bool> skip_to_first();
  result<std::uint64_t> counted_end(std::uint64_t body, std::optional<std::uint64_t> length);
  // How far a message was read.
  struct reading {
    std::uint64_t blank = 0;    // octets of a blank line that may be the last
    std::uint64_t counted = 0;  // up to here all is the message's, as it is
    std::optional<std::uint64_t> length;
    bool header = true;
    bool left_out = false;  // the line is of a field that is the file's
    mbox_notes notes;
  };
  bool separates(std::string_view line) const;
  result<void> look(const text_line& line, reading& now);
  result<void> take_lines(spooled& into, item& one);

  std::string path_;
  mail_file file_;
  line_reader reader_;
  std::uint64_t number_ = 0;
  std::string from_line_;  // of the next message
  bool begun_ = false;
  bool more_ = false;     // the line before was a "From " line
  bool undated_ = false;  // who wrote the file puts no dates into these lines
};

result<bool> mbox_source::skip_to_first() {
  if (std::exchange(begun_, true)) return more_;
  while (true) {
    IMA_TRY(line, reader_.next());
    if (!line) return false;
    if (line->front.empty()) continue;
    if (line->front.starts_with("From ")) {
      from_line_ = line->front;
      undated_ = !is_separator(from_line_);
      return true;
    }
    return error{fault::peer, "mbox", path_, "does not begin with a 'From ' line"};
  }
}

// Whether a message may begin behind this line.
bool mbox_source::separates(std::string_view line) const {
  return line.starts_with("From ") && (undated_ || is_separator(line));
}

// Where the body ends by its Content-Length, if the file ends there or a "From " line comes, or
// else 0: a length that is wrong counts for nothing.
result<std::uint64_t> mbox_source::counted_end(std::uint64_t body,
                                               std::optional<std::uint64_t> length) {
  if (!length || *length > file_.size() - body) return std::uint64_t{0};
  const std::uint64_t end = body + *length;
  std::string around(std::min<std::uint64_t>(file_.size() - end, 7) + 1, '\0');
  IMA_CHECK(file_.read_at(end - 1, around.data(), around.size()));
  if (!around.starts_with('\n')) return std::uint64_t{0};
  std::string_view rest(around);
  rest.remove_prefix(1);
  if (rest.starts_with('\r')) rest.remove_prefix(1);
  if (rest.starts_with('\n')) rest.remove_prefix(1);
  return rest.empty() || rest.starts_with("From ") ? end : 0;
}

// A line of the header, and the blank one behind it. What programs write into a header to say
// something of the file is left out: the message is the same whatever was last done with it there.
result<void> mbox_source::look(const text_line& line, reading& now) {
  if (line.front.empty()) {
    now.header = false;
    IMA_TRY(end, counted_end(line.at + line.size, now.length));
    now.counted = end;
    return {};
  }
  now.notes.read(line.front);
  if (const auto said = content_length(line.front)) now.length = said;
  const bool folded = line.front.starts_with(' ') || line.front.starts_with('\t');
  if (!folded) now.left_out = is_of_mbox(lower(line.front.substr(0, line.front.find(':'))));
  return {};
}

// Copies up to the next "From " line. The blank line before it is the file's, not the message's.
result<void> mbox_source::take_lines(spooled& into, item& one) {
  reading now;
  more_ = false;
  while (true) {
    IMA_TRY(line, reader_.next());
    if (!line) break;
    const bool inside = line->at < now.counted;
    const bool may_end = now.blank > 0 || into.size() == 0 || line->at == now.counted;
    const bool looks_so = !inside && line->front.starts_with("From ");
    if (looks_so && may_end && separates(line->front)) {
      more_ = true;
      from_line_ = line->front;
      break;
    }
    if (looks_so && one.remarks.empty() && (may_end || is_separator(line->front)))
      one.remarks.push_back(
          taken_for_text(line->front, may_end ? "has no date" : "follows no blank line"));
    if (now.blank > 0) IMA_CHECK(into.append(now.blank == 2 ? "\r\n" : "\n"));
    now.blank = !inside && line->front.empty() ? line->end : 0;
    if (now.header) IMA_CHECK(look(*line, now));
    if (now.blank > 0 || (now.header && now.left_out)) continue;
    const bool quoted = line->front.starts_with('>') && is_quoted_from(line->front);
    const std::uint64_t from = line->at + (!inside && quoted ? 1 : 0);
    IMA_CHECK(copy_octets(file_, from, line->at + line->size,
                          [&](octets piece) { return into.append(piece); }));
  }
  one.flags = now.notes.flags();
  if (const std::string_view why = now.notes.gone(number_ == 1); !why.empty()) {
    one.remarks.assign(1, {"left-out", {}, std::string(why)});
    one.left_out = true;
  }
  return {};
}

result<std::optional<item>> mbox_source::next() {
  IMA_TRY(more, skip_to_first());
  if (!more) return std::optional<item>();
  IMA_TRY(kept, service::spool::create());
  auto octets_of_it = std::make_unique<spooled>(std::move(kept));
  item one;
  one.place = fmt::format("{}: message {}", path_, ++number_);
  one.arrived = time_of_from_line(from_line_).value_or(std::chrono::sys_seconds());
  IMA_CHECK(take_lines(*octets_of_it, one));
  one.size = octets_of_it->size();
  one.octets = std::move(octets_of_it);
  return std::optional(std::move(one));
}

// The same flags as fields, for mbox_notes and mail programs.
std::string status_fields(const std::vector<std::string>& flags) {
  std::string own;
  bool seen = false;
  for (const std::string& flag : flags) {
    seen = seen || flag == "seen";
    if (flag == "answered") own += 'A';
    if (flag == "flagged") own += 'F';
    if (flag == "draft") own += 'T';
    if (flag == "deleted") own += 'D';
  }
  return (seen ? std::string("Status: RO\n") : std::string()) +
         (own.empty() ? std::string() : "X-Status: " + own + "\n");
}

class mbox_target : public item_target {
 public:
  mbox_target(const limits& bounds, output_file out) : bounds_(bounds), out_(std::move(out)) {}

  std::future<result<bool>> write(item& one, std::vector<remark>& remarks) override {
    return done(write_now(one, remarks));
  }
  result<void> finish(bool whole) override { return whole ? out_.finish() : result<void>(); }

 private:
  result<bool> write_now(item& one, std::vector<remark>& remarks) {
    const std::uint64_t start = out_.size();
    bool begun = false;
    const auto good = write_mail(one, bounds_, remarks, [&](octets piece) -> result<void> {
      if (!std::exchange(begun, true)) IMA_CHECK(begin(one));
      return quote(piece);
    });
    if (!begun && !good) return good.error();
    if (!begun) IMA_CHECK(begin(one));
    if (!good) {
      IMA_CHECK(take_back(start));
      return good.error();
    }
    IMA_CHECK(end());
    return true;
  }

  // What cannot be read leaves nothing in the file. A stream keeps it; the next one stands behind.
  result<void> take_back(std::uint64_t start) {
    IMA_TRY(gone, out_.cut(start));
    if (!gone) return end();
    front_.clear();
    last_ = '\n';
    return {};
  }

  result<void> end() {
    IMA_CHECK(flush());
    return out_.write(last_ == '\n' ? "\n" : "\n\n");
  }

  result<void> begin(const item& one) {
    const std::time_t at = std::chrono::system_clock::to_time_t(one.arrived);
    start_ = true;
    return out_.write(fmt::format("From MAILER-DAEMON {:%a %b %e %H:%M:%S %Y}\n{}", fmt::gmtime(at),
                                  status_fields(one.flags)));
  }

  // A line's front waits until it is clear whether it needs a ">".
  result<void> quote(octets piece) {
    std::string out;
    for (const char c : piece) {
      last_ = c;
      if (start_) {
        front_ += c;
        const bool open =
            c != '\n' && front_.size() < std::min(longest, 5 + count_quotes()) &&
            std::string_view("From ").starts_with(std::string_view(front_).substr(count_quotes()));
        if (open) continue;
        if (is_quoted_from(front_)) out += '>';
        out += std::exchange(front_, {});
        start_ = c == '\n';
      } else {
        out += c;
        start_ = c == '\n';
      }
    }
    return out_.write(out);
  }
  std::size_t count_quotes() const {
    return std::min(front_.find_first_not_of('>'), front_.size());
  }
  result<void> flush() { return out_.write(std::exchange(front_, {})); }

  static constexpr std::size_t longest = 1000;  // more ">" than anybody quotes

  limits bounds_;
  output_file out_;
  std::string front_;
  bool start_ = true;
  char last_ = '\n';
};

}  // namespace

result<std::unique_ptr<item_source>> open_mbox_source(const transfer_options& what) {
  IMA_TRY(file, mail_file::open(what.in, false, what.bounds));
  return std::unique_ptr<item_source>(std::make_unique<mbox_source>(what.in, std::move(file)));
}

result<std::unique_ptr<item_target>> open_mbox_target(const transfer_options& what) {
  IMA_TRY(out, output_file::open(what.out));
  return std::unique_ptr<item_target>(std::make_unique<mbox_target>(what.bounds, std::move(out)));
}

}  // namespace ima::translate
