#pragma once

// Reads and replays the files of tests/transcripts (the format is in the README there).

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace transcript {

struct step {
  enum class kind { octets, end, report, decision };
  kind what;
  char side;         // 'S' or 'C'
  std::string text;  // octets sent, or the words
  std::size_t line;  // in the file
};

struct conversation {
  std::string name;
  std::vector<step> steps;

  /// Whether the file can be replayed in the role of `side`.
  bool is_for(char side) const {
    return std::ranges::any_of(steps, [side](const step& s) {
      return s.side == side && (s.what == step::kind::report || s.what == step::kind::decision);
    });
  }
};

inline std::string unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    const char code = text.at(++i);
    if (code == 'x') {
      out += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else {
      constexpr std::string_view from = "nr0s\\";
      constexpr std::string_view to{"\n\r\0 \\", 5};
      out += to.at(from.find(code));
    }
  }
  return out;
}

inline std::string repeated(std::string_view argument) {
  const std::size_t space = argument.find(' ');
  const std::string piece = unescape(argument.substr(space + 1));
  std::string out;
  for (int n = std::stoi(std::string(argument.substr(0, space))); n > 0; --n) out += piece;
  return out;
}

inline step read_step(const std::string& text, std::size_t line) {
  const std::string tag = text.substr(0, 2);
  const std::string argument = text.size() > 3 ? text.substr(3) : std::string();
  const char side = tag[0] == 's' || tag[0] == 'S' ? 'S' : 'C';
  using kind = step::kind;
  if (tag == "S:" || tag == "C:") return {kind::octets, side, argument + "\n", line};
  if (tag == "S>" || tag == "C>") return {kind::octets, side, unescape(argument), line};
  if (tag == "S*" || tag == "C*") return {kind::octets, side, repeated(argument), line};
  if (tag == "S." || tag == "C.") return {kind::end, side, {}, line};
  if (tag == "s!" || tag == "c!") return {kind::decision, side, argument, line};
  if (tag == "s?" || tag == "c?") return {kind::report, side, argument, line};
  throw std::runtime_error("line " + std::to_string(line) + " is no transcript line: " + text);
}

inline conversation load(const std::filesystem::path& path) {
  conversation c{path.filename().string(), {}};
  std::ifstream in(path);
  std::string text;
  for (std::size_t line = 1; std::getline(in, text); ++line)
    if (!text.empty() && text[0] != '#') c.steps.push_back(read_step(text, line));
  return c;
}

/// Every *.txt in tests/transcripts/<protocol>, by name. Throws where there is none: a runner that
/// finds nothing must not pass.
inline std::vector<conversation> load_all(std::string_view protocol) {
  const char* tests = std::getenv("IMA_TESTS");
  if (tests == nullptr) throw std::runtime_error("IMA_TESTS does not name the tests' directory");
  std::vector<std::filesystem::path> paths;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(tests) / "transcripts" / protocol))
    if (entry.path().extension() == ".txt") paths.push_back(entry.path());
  if (paths.empty()) throw std::runtime_error("no transcripts found");
  std::ranges::sort(paths);
  std::vector<conversation> all;
  for (const auto& path : paths) all.push_back(load(path));
  return all;
}

/// Says how long the next piece of `left` octets is.
using splitter = std::function<std::size_t(std::size_t left)>;

inline splitter whole() {
  return [](std::size_t left) { return left; };
}
inline splitter octet_by_octet() {
  return [](std::size_t) { return std::size_t{1}; };
}
inline splitter at_random(unsigned seed) {
  return [engine = std::mt19937(seed)](std::size_t left) mutable {
    return std::uniform_int_distribution<std::size_t>(1, std::min<std::size_t>(left, 40))(engine);
  };
}

/// What a session reported and nobody looked at yet. Adjacent runs of octets become one.
class reports {
 public:
  void add(std::string words) {
    constexpr std::string_view run = "octets ";
    if (words.starts_with(run) && !waiting_.empty() && waiting_.back().starts_with(run))
      waiting_.back() += words.substr(run.size());
    else
      waiting_.push_back(std::move(words));
  }
  std::string take() {
    if (waiting_.empty()) return "(nothing)";
    std::string first = std::move(waiting_.front());
    waiting_.erase(waiting_.begin());
    return first;
  }
  bool empty() const { return waiting_.empty(); }

 private:
  std::vector<std::string> waiting_;
};

/// Replays `c` in one role. Role offers
///   char side() const;                      'S' or 'C'
///   void receive(std::string_view octets);  octets from the other side
///   void receive_eof();
///   void poll(reports&);                    takes events until the session has no more for now
///   void decide(std::string_view words);    one decision
///   std::string take_output();              what the session wants sent
template <class Role>
void replay(const conversation& c, Role role, splitter next_piece) {
  reports seen;
  std::string sent;
  const auto run = [&] {
    role.poll(seen);
    sent += role.take_output();
  };
  run();
  for (const step& s : c.steps) {
    CAPTURE(c.name);
    CAPTURE(s.line);
    const bool own = s.side == role.side();
    if (s.what == step::kind::octets && own) {
      REQUIRE(sent.substr(0, s.text.size()) == s.text);
      sent.erase(0, s.text.size());
    } else if (s.what == step::kind::octets) {
      for (std::string_view left = s.text; !left.empty();) {
        const std::string piece(left.substr(0, next_piece(left.size())));
        left.remove_prefix(piece.size());
        role.receive(piece);
        run();
      }
    } else if (s.what == step::kind::end && !own) {
      role.receive_eof();
      run();
    } else if (s.what == step::kind::report && own) {
      REQUIRE(seen.take() == s.text);
    } else if (s.what == step::kind::decision && own) {
      role.decide(s.text);
      run();
    }
  }
  CAPTURE(c.name);
  CHECK(seen.take() == "(nothing)");
  CHECK(sent == "");
}

/// Replays every file of a protocol that is for this role: whole, octet by octet, in random pieces.
/// `make_role` makes a fresh one each time.
template <class MakeRole>
void replay_all(std::string_view protocol, MakeRole make_role) {
  std::size_t played = 0;
  for (const conversation& c : load_all(protocol)) {
    if (!c.is_for(make_role().side())) continue;
    ++played;
    replay(c, make_role(), whole());
    replay(c, make_role(), octet_by_octet());
    for (unsigned seed = 1; seed <= 20; ++seed) replay(c, make_role(), at_random(seed));
  }
  CHECK(played > 0);
}

}  // namespace transcript
