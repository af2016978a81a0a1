// The lines of a header block as fields (docs/translation.md section 3). Whatever is written is
// translated back at once: where that does not give the line again, the line travels as it is in an
// IMA-Field, so no field can come to say what its author did not.

#include "message/header_grammar.hpp"
#include "translate/encoded_words.hpp"
#include "translate/escape.hpp"
#include "translate/fields.hpp"

#include <algorithm>
#include <map>

namespace ima::translate {
namespace {

mime_field field_of(std::string_view line) {
  const std::size_t colon = line.find(':');
  return {std::string(line.substr(0, colon)),
          std::string(trim(line.substr(std::min(colon + 1, line.size()))))};
}

bool is_field_name(std::string_view name) {
  return !name.empty() &&
         std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

class writer {
 public:
  writer(std::span<const header_field> lines, const limits& bounds, std::vector<remark>& remarks)
      : lines_(lines), bounds_(bounds), back_(bounds), remarks_(remarks) {}

  std::vector<mime_field> run();

 private:
  bool write_raw();
  bool write_author();
  void write_line(const header_field& line);
  void collect(std::string_view name, std::string_view glue, std::string text);
  void keep(mime_field field) {
    back_.translate(field);
    out_.push_back(std::move(field));
  }
  bool says(const mime_field& field, const header_field& line) const;
  void write_date_line(const header_field& line);
  void wrap(const header_field& line);

  std::span<const header_field> lines_;
  const limits& bounds_;
  field_translator back_;  // sees the fields that repeat nothing, in order
  std::vector<remark>& remarks_;
  std::size_t at_ = 0;
  std::vector<mime_field> out_;
  std::map<std::string, std::size_t, std::less<>> collected_;  // field name, index in out_
};

std::vector<mime_field> writer::run() {
  while (at_ < lines_.size()) {
    const header_field& line = lines_[at_];
    if (line.name == "mime-field" && write_raw()) continue;
    if (line.name == "from" && write_author()) continue;
    write_line(line);
    ++at_;
  }
  return std::move(out_);
}

// A field that was kept stands for the lines behind it, if those are what it says.
bool writer::write_raw() {
  mime_field field = field_of(lines_[at_].value);
  if (!is_field_name(field.name) || is_of_mbox(lower(field.name))) return false;
  field_translator trial = back_;
  std::vector<owned_line> said = trial.translate(field);
  const bool kept =
      !said.empty() && said.front().name == "mime-field" && said.front().value == lines_[at_].value;
  // What was cut would be cut again, and its header kept once more.
  const bool whole =
      trial.remarks().size() == back_.remarks().size() && fits_lines(field.name, field.value);
  if (!kept || !whole || at_ + said.size() > lines_.size()) return false;
  for (std::size_t i = 0; i < said.size(); ++i)
    if (said[i].name != lines_[at_ + i].name || said[i].value != lines_[at_ + i].value)
      return false;
  back_ = std::move(trial);
  at_ += said.size();
  out_.push_back(std::move(field));
  return true;
}

// Nobody is nobody again.
bool writer::write_author() {
  if (lines_[at_].value != unknown_author) return false;
  ++at_;
  return true;
}

// Puts the text into the one field of this name.
void writer::collect(std::string_view name, std::string_view glue, std::string text) {
  const auto [found, fresh] = collected_.try_emplace(lower(name), out_.size());
  if (fresh) return keep({std::string(name), std::move(text)});
  std::string& value = out_[found->second].value;
  if (!value.empty() && !text.empty()) value += glue;
  value += text;
}

void writer::wrap(const header_field& line) {
  keep({"IMA-Field", escape_field(std::string(line.name) + ": " + std::string(line.value))});
}

void writer::write_line(const header_field& line) {
  const std::string_view name = line.name;
  const std::string value(line.value);
  if (name == "ima" || name == "part" || name == "mime-structure" || name == "mime-multipart")
    return;
  if (name == "for") {
    remarks_.push_back({"envelope", "for", value + " is a recipient of the envelope, not a field"});
    return;
  }
  if (name == "from" || name == "to" || name == "cc" || name == "bcc" || name == "reply-to")
    return collect(capitalised(name), ", ", write_mailbox(named_address::parse(value).value()));
  if (name == "mailer") return keep({"Sender", write_mailbox(named_address::parse(value).value())});
  if (name == "id") return keep({"Message-ID", "<" + value + ">"});
  if (name == "in-reply-to" || name == "references")
    return collect(capitalised(name), " ", "<" + value + ">");
  if (name == "date") return write_date_line(line);
  if (name == "via") return keep({"IMA-Via", value});
  if (name == "auto")
    return keep({"Auto-Submitted", value == "reply"       ? "auto-replied"
                                   : value == "generated" ? "auto-generated"
                                                          : "auto-generated; ima=" + value});
  // In a mail of one part these would be the part's; and others an mbox's.
  if (name == "content-disposition" || name == "content-id" || is_of_mbox(name)) return wrap(line);
  for (std::string text : {value, encode_text(value), write_encoded_words(value)}) {
    mime_field field{capitalised(name), std::move(text)};
    if (says(field, line)) return keep(std::move(field));
  }
  wrap(line);
}

// Mail is younger than 1969, and GMime refuses dates before; RFC 5322 begins with 1900.
void writer::write_date_line(const header_field& line) {
  mime_field field{"Date", write_date(timestamp::parse(line.value).value())};
  if (says(field, line)) return keep(std::move(field));
  remarks_.push_back({"date", "date", "has no form in mail"});
}

// True where the field, alone, is the line again.
bool writer::says(const mime_field& field, const header_field& line) const {
  const bool seven_bit = std::all_of(field.value.begin(), field.value.end(),
                                     [](char c) { return c >= ' ' && c < 0x7f; });
  field_translator trial(bounds_);
  const std::vector<owned_line> said = trial.translate(field);
  return seven_bit && fits_lines(field.name, field.value) && said.size() == 1 &&
         said[0].name == line.name && said[0].value == line.value;
}

}  // namespace

std::vector<mime_field> write_fields(std::span<const header_field> lines, const limits& bounds,
                                     std::vector<remark>& remarks) {
  return writer(lines, bounds, remarks).run();
}

}  // namespace ima::translate
