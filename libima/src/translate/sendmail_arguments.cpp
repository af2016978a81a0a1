#include <ima/translate/submission.hpp>

#include <algorithm>

namespace ima::translate {
namespace {

// Options with a value, in the same argument or the next; most change nothing here.
constexpr std::string_view with_value = "ABCFLNORVXbefhopr";
// Options without a value that change nothing here.
constexpr std::string_view ignored = "GIUmnv";

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
    if (!word.starts_with("--")) return letters(word);
    if (out_.help || out_.version) return {};
    return refused(word, "is not known");
  }

  // Letters may stand together, the last of them with its value: -ti, -tf SENDER.
  result<void> letters(const std::string& word) {
    for (std::size_t i = 1; i < word.size(); ++i) {
      const char letter = word[i];
      if (with_value.find(letter) != std::string_view::npos)
        return valued(letter, word, word.substr(i + 1));
      if (letter == 't')
        out_.from_fields = true;
      else if (letter == 'i')
        out_.dot_ends = false;
      else if (ignored.find(letter) == std::string_view::npos)
        return refused(word, "is not known");
    }
    return {};
  }

  result<void> valued(char letter, const std::string& word, const std::string& rest) {
    std::string text;
    if (auto good = value(word, rest, text); !good) return good;
    switch (letter) {
      case 'f':
      case 'r':
        out_.sender = text.empty() ? "<>" : text;  // nobody may be written as nothing
        return {};
      case 'F':
        out_.author_name = text;
        return {};
      case 'C':
        out_.settings = text;
        return {};
      case 'b':
        return mode(word, text);
      default:
        if (letter == 'o' && text == "i") out_.dot_ends = false;
        return {};
    }
  }

  result<void> value(const std::string& word, const std::string& rest, std::string& into) {
    if (rest.empty() && at_ == all_.size()) return refused(word, "needs a value");
    into = rest.empty() ? all_[at_++] : rest;
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
