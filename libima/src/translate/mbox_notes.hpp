#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ima::translate {

/// What programs wrote about a message into its header, in the mbox that it is in.
class mbox_notes {
 public:
  /// Takes one line of the header.
  void read(std::string_view line);

  const std::vector<std::string>& flags() const noexcept { return flags_; }
  /// Why the message is no mail any more, or empty: Thunderbird deleted it, or it is the `first` of
  /// the file and holds what c-client keeps about the folder.
  std::string_view gone(bool first) const noexcept;

 private:
  void read_letters(std::string_view name, std::string_view value);
  void read_mozilla(std::string_view value);
  void add(const char* flag);

  std::vector<std::string> flags_;
  bool at_front_ = true;  // all fields so far are such as Thunderbird puts before the mail's own
  bool expunged_ = false;
  bool internal_subject_ = false;
  bool internal_field_ = false;
};

}  // namespace ima::translate
