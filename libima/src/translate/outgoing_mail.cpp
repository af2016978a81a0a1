#include "service/spool.hpp"
#include "support/try.hpp"
#include "translate/entity.hpp"
#include "translate/item.hpp"
#include "translate/line_reader.hpp"
#include "translate/mime_words.hpp"
#include "translate/read_fully.hpp"

#include <ima/translate/outgoing_mail.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ima::translate {
namespace {

// Octets of the fields of recipients. Reading addresses takes many times their size.
constexpr std::size_t most_of_recipients = std::size_t{512} * 1024;

// Whom mail goes to: as its author said, and as whoever sent it on said.
struct recipient_values {
  std::vector<std::string> first;
  std::vector<std::string> resent;
  std::size_t size = 0;
  bool cut = false;

  // Nothing where a field of this name is no recipients'.
  std::vector<std::string>* list_of(std::string_view name) {
    if (name == "to" || name == "cc" || name == "bcc") return &first;
    if (name == "resent-to" || name == "resent-cc" || name == "resent-bcc") return &resent;
    return nullptr;
  }
  void begin(std::vector<std::string>* list) {
    if (list == nullptr) return;
    cut = cut || sizeof(std::string) > most_of_recipients - size;
    if (cut) return;
    list->emplace_back();
    size += sizeof(std::string);
  }
  void append(std::vector<std::string>* list, const text_line& line, std::string_view text) {
    if (list == nullptr) return;
    cut = cut || !line.whole() || text.size() > most_of_recipients - size;
    if (cut) return;
    list->back() += text;
    size += text.size();
  }
};

bool is_hidden(std::string_view name) { return name == "bcc" || name == "resent-bcc"; }

}  // namespace

struct outgoing_mail::state {
  body_source& mail;
  std::uint64_t end;  // of the mail
  service::spool header;
  std::uint64_t body_at = 0;  // in the mail
  recipient_values recipients{};

  state(body_source& from, std::uint64_t size, service::spool kept)
      : mail(from), end(size), header(std::move(kept)) {}

  result<void> run();
  result<bool> take(const text_line& line);
  result<void> keep_until(std::uint64_t at);
  bool begin_field(const text_line& line);

 private:
  std::uint64_t done_ = 0;                    // what stands before is kept, or cut
  bool hidden_ = false;                       // the field that the next line may continue
  std::vector<std::string>* list_ = nullptr;  // where its value is
};

result<void> outgoing_mail::state::keep_until(std::uint64_t at) {
  IMA_CHECK(copy_octets(mail, done_, at, [&](octets piece) { return header.append(piece); }));
  done_ = at;
  return {};
}

// False where the line is no field, which ends the header.
bool outgoing_mail::state::begin_field(const text_line& line) {
  const std::size_t colon = field_colon(line.front);
  hidden_ = false;
  list_ = nullptr;
  // An mbox's line stands before everything that is kept.
  if (colon == std::string_view::npos)
    return line.front.starts_with("From ") && header.size() == 0 && done_ == line.at;
  const std::string name = lower(trim(line.front.substr(0, colon)));
  hidden_ = is_hidden(name);
  list_ = recipients.list_of(name);
  recipients.begin(list_);
  recipients.append(list_, line, line.front.substr(colon + 1));
  return true;
}

// The lines of a header are those that scan_entities() takes for such in what is kept.
result<bool> outgoing_mail::state::take(const text_line& line) {
  if (line.front.empty() && line.whole()) return false;
  if (line.front.starts_with(' ') || line.front.starts_with('\t'))
    recipients.append(list_, line, line.front);
  else if (!begin_field(line))
    return false;
  if (!hidden_) return true;
  IMA_CHECK(keep_until(line.at));
  done_ += line.size;
  return true;
}

result<void> outgoing_mail::state::run() {
  line_reader lines(mail, 0, end);
  body_at = end;
  for (bool more = true; more;) {
    IMA_TRY(line, lines.next());
    if (!line) break;
    IMA_TRY(taken, take(*line));
    more = taken;
    if (!more) body_at = line->at;
  }
  return keep_until(body_at);
}

outgoing_mail::outgoing_mail(std::unique_ptr<state> s) : state_(std::move(s)) {}
outgoing_mail::outgoing_mail(outgoing_mail&&) noexcept = default;
outgoing_mail& outgoing_mail::operator=(outgoing_mail&&) noexcept = default;
outgoing_mail::~outgoing_mail() = default;

result<outgoing_mail> outgoing_mail::read(body_source& mail, std::uint64_t size) {
  IMA_TRY(header, service::spool::create());
  auto s = std::make_unique<state>(mail, size, std::move(header));
  IMA_CHECK(s->run());
  return outgoing_mail(std::move(s));
}

std::uint64_t outgoing_mail::size() const noexcept {
  return state_->header.size() + (state_->end - state_->body_at);
}

result<void> outgoing_mail::read_at(std::uint64_t offset, char* buffer, std::size_t size) {
  const std::uint64_t header = state_->header.size();
  if (offset < header) {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(size, header - offset));
    const auto read_some = [&](std::uint64_t at, char* into, std::size_t most) {
      return state_->header.read_at(at, into, most);
    };
    IMA_CHECK(read_fully(read_some, "spool", offset, buffer, count));
    offset += count;
    buffer += count;
    size -= count;
  }
  if (size == 0) return {};
  return state_->mail.read_at(state_->body_at + (offset - header), buffer, size);
}

result<std::span<const std::string>> outgoing_mail::recipient_fields() const {
  const recipient_values& all = state_->recipients;
  if (all.cut)
    return error{fault::caller, "header-limit", "", "the fields of recipients are too long"};
  return std::span<const std::string>(all.resent.empty() ? all.first : all.resent);
}

}  // namespace ima::translate
