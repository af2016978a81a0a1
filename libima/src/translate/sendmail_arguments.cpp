#include <ima/translate/submission.hpp>

#include <algorithm>

namespace ima::translate {
namespace {

// Options with a value, in the same argument or the next, that change nothing here.
constexpr std::string_view ignored_with_value = "BhLNORVXp";
// Options without a value that change nothing here.
constexpr std::string_view ignored = "AGmnUv";

error refused(const std::string& option, std::string text) {
  return {fault::caller, "sendmail-option", option, std::move(text)};
}

class argument_reader {
 public:
  explicit argument_reader(const std::vector<std::string>& all) : all_(all) {}

  result<sendmail_request> read() {
    while (at_ < all_.size()) {
      const std::string& word = all_[at_++];
      if (word == "--") break;
      if (word.size() < 2 || word.front() != '-') {
        out_.recipients.push_back(word);
        continue;
      }
      if (auto good = option(word); !good) return good.error();
    }
    out_.recipients.insert(out_.recipients.end(), all_.begin() + static_cast<long>(at_),
                           all_.end());
    return out_;
  }

 private:
  result<void> option(const std::string& word) {
    if (word == "--help") out_.help = true;
    if (word == "--version") out_.version = true;
    if (word.starts_with("--")) {
      if (out_.help || out_.version) return {};
      return refused(word, "is not known");
    }
    const std::string rest = word.substr(2);
    switch (word[1]) {
      case 't':
        return flags(word);
      case 'i':
        return flags(word);
      case 'f':
      case 'r':
        return sender(word, rest);
      case 'F':
        return value(word, rest, out_.author_name);
      case 'C':
        return value(word, rest, out_.settings);
      case 'b':
        return mode(word, rest);
      case 'o':
        if (rest == "i") out_.dot_ends = false;
        return {};
      default:
        break;
    }
    std::string unused;
    if (ignored_with_value.find(word[1]) != std::string_view::npos)
      return value(word, rest, unused);
    return flags(word);
  }

  // Letters without values may stand together: -ti.
  result<void> flags(const std::string& word) {
    for (const char letter : word.substr(1)) {
      if (letter == 't')
        out_.from_fields = true;
      else if (letter == 'i')
        out_.dot_ends = false;
      else if (ignored.find(letter) == std::string_view::npos)
        return refused(word, "is not known");
    }
    return {};
  }

  result<void> value(const std::string& word, const std::string& rest, std::string& into) {
    if (rest.empty() && at_ == all_.size()) return refused(word, "needs a value");
    into = rest.empty() ? all_[at_++] : rest;
    return {};
  }

  // Nobody is the sender of a report, and may be written as nothing.
  result<void> sender(const std::string& word, const std::string& rest) {
    if (auto good = value(word, rest, out_.sender); !good) return good;
    if (out_.sender.empty()) out_.sender = "<>";
    return {};
  }

  static result<void> mode(const std::string& word, const std::string& rest) {
    if (rest == "m") return {};
    if (rest == "s") return refused(word, "SMTP on standard input is not spoken here");
    return refused(word, "only mail is taken here; there is no daemon, queue or alias file");
  }

  const std::vector<std::string>& all_;
  std::size_t at_ = 0;
  sendmail_request out_;
};

}  // namespace

result<sendmail_request> read_sendmail_arguments(const std::vector<std::string>& arguments) {
  return argument_reader(arguments).read();
}

}  // namespace ima::translate
